import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { seeded, seededHash } from '../support/bytes.ts'
import { type Result, run, runHashed } from '../support/command.ts'
import { findTool, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const MIB = 1024 * 1024
const SIZE = 32 * MIB
const here = await world(t)
await here.join('home')
const port = here.https.split(':').at(-1) ?? ''
const ca = here.folder('ca.pem')
writeFileSync(ca, /-----BEGIN[^]*?-----END CERTIFICATE-----\n/.exec((await here.edgeDo('ca')).stdout)?.[0] ?? '')

/** nginx with a folder of files, as a service at home. */
async function nginx(root: string): Promise<string> {
  const folder = here.folder('nginx')
  mkdirSync(folder)
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join('\n')
  const socket = join(folder, 'socket')
  const server = `listen unix:${socket}; root ${root}; gzip on; gzip_proxied any; gzip_types text/plain;`
  const user = process.getuid?.() === 0 ? 'user root;' : ''
  writeFileSync(
    join(folder, 'nginx.conf'),
    `${user} daemon off; master_process off; pid ${folder}/pid; error_log stderr crit; events {}
    http { access_log off; ${temp} default_type text/plain; server { ${server} } }`,
  )
  here.start('nginx', [findTool('nginx') ?? 'nginx', '-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr'])
  const watching = watch(folder)
  while (!existsSync(join(folder, 'pid'))) await once(watching, 'change')
  watching.close()
  return socket
}

async function git(...args: readonly string[]): Promise<Result> {
  const who = ['-c', 'user.name=e', '-c', 'user.email=e@localhost', '-c', 'init.defaultBranch=main']
  const env = {
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_CONFIG_SYSTEM: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_SSL_CAINFO: ca,
  }
  const done = await run(['git', ...who, ...args], { env })
  if (done.code !== 0) throw new Error(`git ${args.join(' ')}: ${done.stderr}`)
  return done
}

/** A repository with one commit of some size, and its bare copy, which any web server can show. */
async function repository(root: string): Promise<string> {
  const work = here.folder('work')
  await git('init', '--quiet', work)
  writeFileSync(join(work, 'bytes'), Buffer.concat([...seeded('git', 4 * MIB)]))
  await git('-C', work, 'add', '.')
  await git('-C', work, 'commit', '--quiet', '-m', 'first')
  await git('clone', '--quiet', '--bare', work, join(root, 'repo.git'))
  await git('-C', join(root, 'repo.git'), 'update-server-info')
  return headOf(work)
}

async function headOf(folder: string): Promise<string> {
  return (await git('-C', folder, 'rev-parse', 'HEAD')).stdout.trim()
}

/** `git http-backend` as its manual has it, a CGI program. */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://git')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
      PATH_INFO: pathname,
      QUERY_STRING: searchParams.toString(),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'],
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'],
      HTTP_GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.on('error', () => {})
  request.pipe(child.stdin)
  let head = Buffer.alloc(0)
  const read = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    child.stdout.off('data', read)
    const lines = head.subarray(0, end).toString().split('\r\n')
    for (const line of lines) {
      const [name = '', value = ''] = line.split(/: (.*)/)
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.write(head.subarray(end + 4))
    child.stdout.pipe(response)
  }
  child.stdout.on('data', read)
}

const root = here.folder('root')
mkdirSync(root)
writeFileSync(join(root, 'bytes'), Buffer.concat([...seeded('file', SIZE)]))
writeFileSync(join(root, 'text'), '縁側\n'.repeat(1000))

const head = without('git') === false ? await repository(root) : ''

t.test(
  'curl over both versions, h2load and git clone, at an nginx',
  { skip: without('nginx', 'curl', 'h2load', 'git') },
  async (t) => {
    await here.publish('home', `unix:${await nginx(root)}`, '--name', 'files')
    const host = here.host('files')
    const trust = [
      '--silent',
      '--show-error',
      '--noproxy',
      '*',
      '--cacert',
      ca,
      '--resolve',
      `${host}:${port}:127.0.0.1`,
    ]
    for (const version of ['--http1.1', '--http2']) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const got = await runHashed(['curl', version, ...trust, `https://${host}:${port}/bytes`])
      t.strictSame([got.code, got.sha256], [0, seededHash('file', SIZE)], `${version} ${got.stderr}`)
      // oxlint-disable-next-line no-await-in-loop -- as above
      const zipped = await run(['curl', version, ...trust, '--include', '--compressed', `https://${host}:${port}/text`])
      t.match(zipped.stdout, /content-encoding: gzip[^]*\r\n\r\n(?:縁側\n){1000}$/i, version)
    }
    const load = [
      '-n',
      '1000',
      '-c',
      '2',
      '-m',
      '20',
      '--connect-to',
      `127.0.0.1:${port}`,
      `https://${host}:${port}/text`,
    ]
    const loaded = await run(['h2load', ...load])
    t.match(loaded.stdout, /1000 succeeded, 0 failed, 0 errored, 0 timeout/, loaded.stderr)
    const copy = here.folder('dumb')
    const [, httpPort = ''] = here.http.split(':')
    await git('clone', '--quiet', `http://${host}:${httpPort}/repo.git`, copy)
    t.equal(await headOf(copy), head)
  },
)

t.test('git clone and push over HTTP/2, and in chunks, by git http-backend', { skip: without('git') }, async (t) => {
  const bare = here.folder('bare')
  mkdirSync(bare)
  const work = here.folder('pushed')
  await git('clone', '--quiet', '--bare', join(root, 'repo.git'), join(bare, 'repo.git'))
  await git('-C', join(bare, 'repo.git'), 'config', 'http.receivepack', 'true')
  const server = createServer((request, response) => backend(bare, request, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const service = (server.address() as AddressInfo).port
  const second = here.expose('home', String(service), '--name', 'git')
  await second.until('tunnel')
  const url = `https://${here.host('git')}:${port}/repo.git`
  await git('clone', '--quiet', url, work)
  t.equal(await headOf(work), head)
  // What is larger than http.postBuffer goes in chunks. Not over HTTP/2: there git 2.39 with libcurl 7.88 reads on behind its
  // own end now and then, and waits for ever, at an nginx as well.
  for (const [name, setting] of [
    ['whole', `http.postBuffer=${8 * MIB}`],
    ['chunked', 'http.version=HTTP/1.1'],
  ] as const) {
    writeFileSync(join(work, name), Buffer.concat([...seeded(name, 3 * MIB)]))
    await git('-C', work, 'add', '.')
    await git('-C', work, 'commit', '--quiet', '-m', name)
    await git('-C', work, '-c', setting, 'push', '--quiet', 'origin', 'HEAD')
    t.equal(await headOf(join(bare, 'repo.git')), await headOf(work))
  }
  const again = here.folder('again')
  await git('clone', '--quiet', url, again)
  t.ok(readFileSync(join(again, 'chunked')).equals(Buffer.concat([...seeded('chunked', 3 * MIB)])))
})
