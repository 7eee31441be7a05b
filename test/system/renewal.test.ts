import { globSync } from 'node:fs'
import { request } from 'node:https'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { isIssued, NO_DOOR, PATIENCE, type SceneOptions, scene, withoutCa } from '../support/acme.ts'
import { LONG, without } from '../support/tools.ts'
import type { World } from '../support/world.ts'

const [FAKETIME] = globSync(['/usr/lib/*/faketime/libfaketimeMT.so.1', '/usr/lib/faketime/libfaketimeMT.so.1'])
const skip = withoutCa || without('faketime') || (FAKETIME === undefined && 'needs libfaketimeMT.so.1')

const NAME = 'blog.tunnel.test'
const VISITORS = 8

/** A handshake of its own and one request through it: the serial number of the certificate that was shown. */
function visit(here: World, ca: string): Promise<string> {
  const [host, port] = here.https.split(':')
  const options = { host, port, path: '/kilobyte', servername: NAME, headers: { host: NAME }, ca, agent: false }
  return new Promise((resolve, reject) => {
    const asked = request(options, (response) => {
      const { serialNumber } = (response.socket as TLSSocket).getPeerCertificate()
      let bytes = 0
      response.on('data', (part: Buffer) => (bytes += part.length))
      response.on('end', () => {
        if (response.statusCode === 200 && bytes === 1024) resolve(serialNumber)
        else reject(new Error(`${response.statusCode}, ${bytes} bytes`))
      })
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}

/** The edge's clock goes so much ahead: what has just been issued is nearly due for it, and good for visitors all the while. */
function ahead(seconds: number): NonNullable<SceneOptions['places']> {
  const clock = ['env', `LD_PRELOAD=${FAKETIME}`, `FAKETIME=+${seconds}s`, 'FAKETIME_DONT_FAKE_MONOTONIC=1']
  const listens = ['--http', '--https', '--admin'].flatMap((flag) => [flag, '127.0.0.1:0'])
  return {
    enter: (place) => (place === 'edge' ? clock : []),
    edgeFlags: ['--bind', '127.0.0.1', ...listens],
    serviceHost: '127.0.0.1',
  }
}

// In the long form clocks are right, and a life of 30 s runs out before everyone's eyes. In the short form a renewal is due each second.
const [RENEWALS, options] = LONG ? [3, { validS: 30 }] : [2, { validS: 300, places: ahead(199) }]

t.test('a CA’s certificate is renewed under load without a failed handshake', { skip }, async (t) => {
  const { pebble, here } = await scene(t, { ...options, rest: [NO_DOOR] })
  const services = await here.services()
  await here.join('home')
  await here.publish('home', String(services.http), '--name', 'blog')
  await here.edge.untilLogged(isIssued(NAME), PATIENCE)
  const certificates = new Set<string>()
  const failures: string[] = []
  let handshakes = 0
  const enough = (): boolean => certificates.size > RENEWALS || failures.length > 0
  const deadline = performance.now() + 2 * PATIENCE.deadlineMs
  const visitors = Array.from({ length: VISITORS }, async () => {
    for (; !enough() && performance.now() < deadline; handshakes++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const seen = await visit(here, pebble.root).catch((error: unknown) => void failures.push(String(error)))
      if (seen !== undefined) certificates.add(seen)
    }
  })
  await Promise.all(visitors)
  t.same(failures, [])
  if (certificates.size <= RENEWALS) throw new Error(`too few renewals\n${here.report()}`)
  t.comment(`${handshakes} handshakes, ${failures.length} failed, ${certificates.size - 1} renewals under load`)
})
