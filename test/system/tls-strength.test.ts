import { readFileSync } from 'node:fs'
import t from 'tap'
import { run } from '../support/command.ts'
import { LONG, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const settings = 'limits: { perAddress: { connections: 4000, newPerSecond: 4000, burst: 4000 } }\n'
const config = `${t.testdir({ 'edge.yaml': settings })}/edge.yaml`
const here = await world(t, { edgeFlags: ['--config', config] })

/** The version that openssl agrees upon with the edge, when it offers that one alone. */
async function agreed(flag: string): Promise<string | undefined> {
  const ask = ['-connect', here.https, '-servername', here.domain, '-cipher', 'ALL:@SECLEVEL=0', flag]
  const { stdout } = await run(['openssl', 's_client', ...ask], { input: '' })
  return /^ *(?:New, )?(TLSv1\.\d|SSLv3), Cipher is (?!\(NONE\))/m.exec(stdout)?.[1]
}

t.test('TLS 1.2 and 1.3, nothing older', { skip: without('openssl') }, async (t) => {
  t.equal(await agreed('-tls1_3'), 'TLSv1.3')
  t.equal(await agreed('-tls1_2'), 'TLSv1.2')
  t.equal(await agreed('-tls1_1'), undefined)
  t.equal(await agreed('-tls1'), undefined)
})

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

t.test(
  'testssl.sh finds nothing vulnerable',
  { skip: LONG ? without('testssl') : 'takes minutes: npm run test:long', timeout: 900_000 },
  async (t) => {
    const file = here.folder('testssl.json')
    const flags = ['--quiet', '--warnings', 'off', '--color', '0', '--nodns', 'none', '--sneaky']
    const about = ['--protocols', '--vulnerable', '--server-defaults', '--fs', '--std']
    const to = ['--ip', '127.0.0.1', '--jsonfile', file, `${here.domain}:${here.https.split(':').at(-1)}`]
    await run(['testssl', ...flags, ...about, ...to], { deadlineMs: 850_000 })
    const found = JSON.parse(readFileSync(file, 'utf8')) as Finding[]
    const of = (id: string): string | undefined => found.find((one) => one.id === id)?.finding
    for (const old of ['SSLv2', 'SSLv3', 'TLS1', 'TLS1_1']) t.match(of(old), /not offered/, old)
    for (const good of ['TLS1_2', 'TLS1_3']) t.match(of(good), /^offered/, good)
    // The certificate is that of an authority of the edge's own, which says nothing of the protocol.
    const bad = found.filter(
      ({ id, severity }) => /MEDIUM|HIGH|CRITICAL|FATAL/.test(severity) && !/^cert|^scanProblem/.test(id),
    )
    t.strictSame(bad, [])
    t.comment(`${found.length} findings`)
  },
)
