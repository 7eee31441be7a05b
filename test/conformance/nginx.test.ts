import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { findTool, without } from '../support/tools.ts'
import { ask } from './ask.ts'
import { DIFFERENCES } from './nginx-differences.ts'
import { REQUESTS } from './requests.ts'
import { HOST, NAME } from './row.ts'
import { Witness } from './witness.ts'

/** nginx as its manual configures a reverse proxy, told to finish what half-closed clients asked for. */
function config(folder: string, port: number): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join('\n  ')
  return `user root;
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log crit;
events {}
http {
  access_log off;
  ${temp}
  server { listen unix:${folder}/socket default_server; return 404; }
  server {
    listen unix:${folder}/socket;
    server_name ${NAME};
    location / {
      proxy_pass http://127.0.0.1:${port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_ignore_client_abort on;
    }
  }
}
`
}

async function nginx(port: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'engawa-nginx-'))
  writeFileSync(join(folder, 'nginx.conf'), config(folder, port))
  const child = spawn(findTool('nginx') ?? 'nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: 'ignore',
  })
  t.teardown(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
    rmSync(folder, { recursive: true, force: true })
  })
  const watching = watch(folder)
  while (!existsSync(join(folder, 'pid'))) await once(watching, 'change')
  watching.close()
  return join(folder, 'socket')
}

t.test(
  'the same requests to nginx: each difference is explained in the table',
  { skip: without('nginx') },
  async (t) => {
    const witness = await Witness.open()
    t.teardown(() => witness.close())
    const path = await nginx(witness.port)
    const unused = new Set(DIFFERENCES.keys())
    for (const [family, rows] of Object.entries(REQUESTS)) {
      for (const { name, bytes, sees } of rows) {
        // oxlint-disable-next-line no-await-in-loop -- what the service sees must belong to this row
        await ask({ path }, bytes)
        // oxlint-disable-next-line no-await-in-loop -- as above
        await ask({ path }, `GET /sentinel HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
        // oxlint-disable-next-line no-await-in-loop -- as above
        await witness.quiet()
        witness.faults.length = 0
        const seen = witness.seen.splice(0).flatMap(({ text }) => (text === 'GET /sentinel' ? [] : [text]))
        const label = `${family}: ${name}`
        const difference = DIFFERENCES.get(label)
        unused.delete(label)
        t.strictSame(seen, difference?.sees ?? sees, `${label}${difference ? `: ${difference.why}` : ''}`)
        if (difference !== undefined) t.notSame(difference.sees, sees, `${label}: no difference to explain`)
      }
    }
    t.strictSame([...unused], [], 'each explanation belongs to a row')
    t.comment(`${DIFFERENCES.size} differences`)
  },
)
