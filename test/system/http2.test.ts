import { writeFileSync } from 'node:fs'
import t from 'tap'
import { seededHash, seededStream } from '../support/bytes.ts'
import { run, runHashed } from '../support/command.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const MIB = 1024 * 1024
const here = await world(t)
const services = await here.services('web')
await here.join('home')
await here.publish('home', String(services.http), '--name', 'web')
const port = here.https.split(':').at(-1) ?? ''
const host = here.host('web')
const ca = here.folder('ca.pem')
writeFileSync(ca, /-----BEGIN[\s\S]*?-----END CERTIFICATE-----\n/.exec((await here.edgeDo('ca')).stdout)?.[0] ?? '')

function curl(path: string, ...flags: readonly string[]): ['curl', ...string[]] {
  const usual = ['--silent', '--show-error', '--noproxy', '*', '--http2', '--cacert', ca]
  return ['curl', ...usual, '--resolve', `${host}:${port}:127.0.0.1`, ...flags, `https://${host}:${port}${path}`]
}

t.test('curl --http2: GET, 64 MiB down and up with equal SHA-256', { skip: without('curl') }, async (t) => {
  const got = await run(curl('/a?b=c', '--write-out', '\n%{http_version} %{http_code}'))
  t.match(got.stdout, /"url":"\/a\?b=c"[^]*\n2 200$/, got.stderr)
  const size = 64 * MIB
  const down = await runHashed(curl(`/bytes?seed=h2&size=${size}`))
  t.strictSame([down.code, down.sha256], [0, seededHash('h2', size)], down.stderr)
  const up = await run(curl('/hash?seed=h2', '--upload-file', '-'), { input: seededStream('h2', size) })
  t.match(JSON.parse(up.stdout), { size, equal: true }, up.stderr)
})

t.test('nghttp: a request with a trailer', { skip: without('nghttp') }, async (t) => {
  const url = `https://127.0.0.1:${port}/hash`
  const data = here.folder('data')
  writeFileSync(data, 'hello')
  const { code, stdout, stderr } = await run([
    'nghttp',
    '-H',
    `:authority: ${host}`,
    '-d',
    data,
    '--trailer',
    'x-sum: 1',
    url,
  ])
  t.equal(code, 0, stderr)
  t.match(stdout, /"size":5/, stderr)
})

t.test(
  'h2load: 2,000 requests, 50 at once on each of four connections, none fails',
  { skip: without('h2load') },
  async (t) => {
    const { code, stdout, stderr } = await run(
      [
        'h2load',
        '-n',
        '2000',
        '-c',
        '4',
        '-m',
        '50',
        '--connect-to',
        `127.0.0.1:${port}`,
        `https://${host}:${port}/kilobyte`,
      ],
      { deadlineMs: 60_000 },
    )
    t.equal(code, 0, stderr)
    t.match(stdout, /2000 succeeded, 0 failed, 0 errored, 0 timeout/, stdout)
    t.comment(/finished in .*/.exec(stdout)?.[0] ?? '')
  },
)
