// Answers share pooled memory on their way: many at once, to visitors who read by fits and starts, must not mix.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import t from 'tap'
import { seededHash } from '../support/bytes.ts'
import { LONG } from '../support/tools.ts'
import { world } from '../support/world.ts'

const VISITORS = 24
const BYTES = (LONG ? 64 : 1) * 1024 * 1024
/** After so many bytes a visitor looks away for a moment. */
const GULP_BYTES = 100_000

t.test(`${VISITORS} visitors at once get their own answers`, { timeout: 280_000 }, async (t) => {
  const here = await world(t)
  const { http: port } = await here.services()
  await here.join('home')
  const { tunnel } = await here.publish('home', String(port))
  const host = here.host(tunnel.name)

  /** Every third over TLS, every second in chunks, each with bytes of its own. */
  const visit = async (number: number): Promise<void> => {
    const seed = `visitor ${number}`
    const path = `/bytes?seed=${encodeURIComponent(seed)}&size=${BYTES}${number % 2 === 0 ? '&chunked=1' : ''}`
    const at = (address: string): http.RequestOptions => {
      return { host: '127.0.0.1', port: address.split(':')[1], path, headers: { host }, agent: false }
    }
    const request =
      number % 3 === 0
        ? https.get({ ...at(here.https), servername: host, rejectUnauthorized: false })
        : http.get(at(here.http))
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    const hash = createHash('sha256')
    let gulped = 0
    response.on('data', (bytes: Buffer) => {
      hash.update(bytes)
      gulped += bytes.length
      if (gulped < GULP_BYTES) return
      gulped = 0
      response.pause()
      setTimeout(() => response.resume(), number % 7)
    })
    await once(response, 'end')
    t.equal(hash.digest('hex'), seededHash(seed, BYTES), `visitor ${number}`)
  }
  await Promise.all(Array.from({ length: VISITORS }, (_, number) => visit(number)))
})
