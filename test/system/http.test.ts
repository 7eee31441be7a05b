import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import http from 'node:http'
import t from 'tap'
import { WebSocket } from 'ws'
import { seeded, seededHash, seededStream } from '../support/bytes.ts'
import { run, runHashed } from '../support/command.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const MIB = 1024 * 1024
const here = await world(t)
const services = await here.services('web')
await here.join('home')
await here.publish('home', String(services.http), '--name', 'web')
const withCurl = { skip: without('curl') }

interface Asked {
  label: string
  method: string
  url: string
  headers: Record<string, string>
}

t.test('curl GET: the service sees the request and the edge’s headers', withCurl, async (t) => {
  const { code, stdout } = await run(here.curl('web', '/a/b?c=d', '--header', 'X-Own: yes'))
  const asked = JSON.parse(stdout) as Asked
  t.equal(code, 0)
  t.match(asked, { label: 'web', method: 'GET', url: '/a/b?c=d', headers: { 'x-own': 'yes' } })
  t.equal(asked.headers['x-forwarded-for'], '127.0.0.1')
  t.equal(asked.headers['x-forwarded-proto'], 'http')
  t.equal(asked.headers['x-forwarded-host'], asked.headers['host'])
  t.equal(asked.headers['x-real-ip'], '127.0.0.1')
  t.match(asked.headers['forwarded'], /for="?127\.0\.0\.1/)
})

t.test('a visitor’s own forwarding headers are dropped', withCurl, async (t) => {
  const forged = ['X-Forwarded-For: 6.6.6.6', 'Forwarded: for=6.6.6.6', 'X-Real-IP: 6.6.6.6', 'x-forwarded-host: evil']
  const { stdout } = await run(here.curl('web', '/', ...forged.flatMap((header) => ['--header', header])))
  t.notMatch(stdout, /6\.6\.6\.6|evil/)
})

t.test('curl GET of 100 MiB: equal SHA-256', withCurl, async (t) => {
  const startedAt = performance.now()
  const got = await runHashed(here.curl('web', `/bytes?seed=down&size=${100 * MIB}`))
  t.same([got.code, got.bytes, got.sha256], [0, 100 * MIB, seededHash('down', 100 * MIB)], got.stderr)
  t.comment(`100 MiB down in ${Math.round(performance.now() - startedAt)} ms`)
})

t.test('curl PUT of 100 MiB with its length: equal SHA-256', withCurl, async (t) => {
  const file = here.folder('upload')
  await writeFile(file, seeded('up', 100 * MIB))
  const startedAt = performance.now()
  const { code, stdout, stderr } = await run(here.curl('web', '/hash?seed=up', '--upload-file', file))
  t.equal(code, 0, stderr)
  const seen = JSON.parse(stdout) as { headers: Record<string, string> }
  t.match(seen, { size: 100 * MIB, equal: true })
  t.equal(seen.headers['content-length'], String(100 * MIB))
  t.comment(`100 MiB up in ${Math.round(performance.now() - startedAt)} ms`)
})

t.test('curl chunked, both ways', withCurl, async (t) => {
  const size = 20 * MIB
  const up = await run(here.curl('web', '/hash?seed=chunks', '--upload-file', '-'), {
    input: seededStream('chunks', size),
  })
  const seen = JSON.parse(up.stdout) as { headers: Record<string, string> }
  t.match(seen, { size, equal: true })
  t.equal(seen.headers['transfer-encoding'], 'chunked')
  t.equal(seen.headers['content-length'], undefined)
  const down = await runHashed(here.curl('web', `/bytes?seed=c&size=${size}&chunked=1`))
  t.same([down.code, down.sha256], [0, seededHash('c', size)], down.stderr)
})

t.test('curl HEAD', withCurl, async (t) => {
  const { code, stdout } = await run(here.curl('web', '/bytes?seed=a&size=12345', '--head'))
  t.equal(code, 0)
  t.match(stdout, /^HTTP\/1\.1 200 /)
  t.match(stdout, /content-length: 12345\r\n/i)
})

t.test('curl Range, and a download taken up again', withCurl, async (t) => {
  const path = '/bytes?seed=r&size=1000000'
  const part = await runHashed(here.curl('web', path, '--range', '4000-8999'))
  t.same([part.code, part.sha256], [0, seededHash('r', 5000, 4000)])
  const file = here.folder('partial')
  writeFileSync(file, Buffer.concat([...seeded('r', 400_000)]))
  const rest = await run(here.curl('web', path, '--continue-at', '-', '--output', file))
  t.equal(rest.code, 0, rest.stderr)
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  t.equal(hash.digest('hex'), seededHash('r', 1_000_000))
})

t.test('a request that waits for 100-continue', withCurl, async (t) => {
  const { stdout, code } = await run(
    here.curl('web', '/hash?seed=e', '--upload-file', '-', '--header', 'Expect: 100-continue'),
    { input: seededStream('e', MIB) },
  )
  t.equal(code, 0)
  t.match(JSON.parse(stdout), { size: MIB, equal: true })
})

t.test('a WebSocket carries text and binary messages and an orderly close', async (t) => {
  const socket = new WebSocket(`ws://${here.http}/socket`, { headers: { Host: here.host('web') } })
  await once(socket, 'open')
  const messages: (string | Buffer)[] = [
    '縁側',
    Buffer.from([0, 1, 255]),
    Buffer.concat([...seeded('ws', 3 * MIB)]),
    '',
  ]
  for (const message of messages) {
    socket.send(message)
    // oxlint-disable-next-line no-await-in-loop -- one message after the other
    const [data, isBinary] = (await once(socket, 'message')) as [Buffer, boolean]
    t.equal(isBinary, typeof message !== 'string')
    t.ok(data.equals(Buffer.from(message)), `${data.length} bytes back`)
  }
  socket.close(4001, 'done')
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
  t.same([code, reason.toString()], [4001, 'done'])
})

t.test('200 requests at once: the service answers none before all are inside, each gets its own body', async (t) => {
  const startedAt = performance.now()
  const bodies = await Promise.all(Array.from({ length: 200 }, (_, id) => ask(`/gate?name=crowd&of=200&id=${id}`)))
  t.same(
    bodies.map((body) => body.split(' ')[1]),
    Array.from({ length: 200 }, (_, id) => String(id)),
  )
  t.equal(new Set(bodies).size, 200)
  t.comment(`200 concurrent requests in ${Math.round(performance.now() - startedAt)} ms`)
})

t.test('a host nobody published is told so, in the form asked for', withCurl, async (t) => {
  const json = await run(here.curl('nobody', '/', '--include', '--header', 'Accept: application/json'))
  t.match(json.stdout, /^HTTP\/1\.1 404 /)
  t.match(json.stdout, /engawa-error: HOST_UNKNOWN\r\n/i)
  const asks = ['--header', 'Accept: text/html', '--header', 'Accept-Language: ja']
  const page = await run(here.curl('nobody', '/', '--include', ...asks))
  t.match(page.stdout, /content-type: text\/html/i)
  t.match(page.stdout, /[ぁ-ん]/)
})

t.test('HTTPS by the edge’s own CA', withCurl, async (t) => {
  const ca = await here.edgeDo('ca')
  t.equal(ca.code, 0, ca.stderr)
  const file = here.folder('ca.pem')
  writeFileSync(file, /-----BEGIN[\s\S]*?-----END CERTIFICATE-----\n/.exec(ca.stdout)?.[0] ?? '')
  const [, port] = here.https.split(':')
  const host = here.host('web')
  const flags = ['--cacert', file, '--resolve', `${host}:${port}:127.0.0.1`]
  const command = ['curl', '-sS', '--noproxy', '*', ...flags, `https://${host}:${port}/bytes?seed=tls&size=${20 * MIB}`]
  const got = await runHashed(command as ['curl'])
  t.same([got.code, got.sha256], [0, seededHash('tls', 20 * MIB)], got.stderr)
  const without = await run(['curl', '-sS', ...flags.slice(2), `https://${host}:${port}/`])
  t.equal(without.code, 60, 'not trusted without that CA')
})

function ask(path: string): Promise<string> {
  const [host = '', port] = here.http.split(':')
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, path, agent: false, headers: { Host: here.host('web') } }, (response) => {
      let body = ''
      response.on('data', (chunk) => {
        body += String(chunk)
      })
      response.on('end', () => resolve(body))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}
