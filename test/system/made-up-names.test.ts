import { Agent, request } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { isIssued, NO_DOOR, PATIENCE, quantile, scene, withoutCa } from '../support/acme.ts'
import { LONG } from '../support/tools.ts'

const NAME = 'blog.tunnel.test'
const STRANGERS = LONG ? 10_000 : 1000
const STRANGERS_PROGRAM = join(import.meta.dirname, '../support/strangers.ts')
/** Requests with nobody else about. */
const CALM = LONG ? 200 : 50

// The door, which holds back an address with so many connections, is out of the way: each handshake reaches the certificates.
t.test('handshakes with made-up names order nothing and slow nobody', { skip: withoutCa }, async (t) => {
  const { pebble, here } = await scene(t, { rest: [NO_DOOR] })
  const services = await here.services()
  await here.join('home')
  await here.publish('home', String(services.http), '--name', 'blog')
  await here.edge.untilLogged(isIssued('tunnel.test'), PATIENCE)
  await here.edge.untilLogged(isIssued(NAME), PATIENCE)
  const orders = pebble.said(/Added order/)

  const [host, port] = here.https.split(':')
  const kept = new Agent({ keepAlive: true, maxSockets: 1, ca: pebble.root })
  t.teardown(() => kept.destroy())
  /** A request as it comes from somebody reading the site, ms. `agent` false: with a handshake of its own. */
  const visit = (agent: Agent | false): Promise<number> => {
    const since = performance.now()
    const options = { host, port, path: '/kilobyte', servername: NAME, headers: { host: NAME }, ca: pebble.root, agent }
    return new Promise((resolve, reject) => {
      const asked = request(options, (response) => {
        if (response.statusCode !== 200) reject(new Error(`${response.statusCode}`))
        response.resume().on('end', () => resolve(performance.now() - since))
      })
      asked.on('error', reject)
      asked.end()
    })
  }
  const times = async (enough: (done: number) => boolean): Promise<{ kept: number[]; fresh: number[] }> => {
    const made: { kept: number[]; fresh: number[] } = { kept: [], fresh: [] }
    while (!enough(made.kept.length)) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      made.kept.push(await visit(kept))
      // oxlint-disable-next-line no-await-in-loop
      made.fresh.push(await visit(false))
    }
    return made
  }

  const calm = await times((done) => done >= CALM)
  const strangers = here.start('strangers', [process.execPath, STRANGERS_PROGRAM, here.https, String(STRANGERS)])
  const busy = await times(() => strangers.exit !== undefined)
  const { ends } = await strangers.until('done')
  t.same(ends, { ERR_SSL_TLSV1_UNRECOGNIZED_NAME: STRANGERS }, 'each is told that there is no such name')
  t.equal(pebble.said(/Added order/) - orders, 0, 'nothing was ordered')
  t.comment(`${STRANGERS} handshakes with made-up names, ${pebble.said(/Added order/) - orders} orders`)
  t.comment(`requests of others: ${say(calm.kept)}; beside them: ${say(busy.kept)} (${busy.kept.length} requests)`)
  t.comment(`with a handshake each: ${say(calm.fresh)}; beside them: ${say(busy.fresh)}`)
  // Wide: what is to be caught is a visitor who waits for strangers.
  t.ok(quantile(busy.kept, 0.5) < 2000)
})

function say(values: readonly number[]): string {
  return `p50 ${quantile(values, 0.5)} ms, p99 ${quantile(values, 0.99)} ms`
}
