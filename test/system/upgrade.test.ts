// R3. The edge is upgraded while visitors come and others are inside: nobody is refused, nobody is cut.
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import t from 'tap'
import { Talk } from '../support/talk.ts'
import { LONG } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

const UPGRADES = LONG ? 10 : 2
const PER_SECOND = LONG ? 500 : 150
const STREAMS = LONG ? 100 : 20

t.test(`${UPGRADES} upgrades under load: no request fails, no stream is cut`, async (t) => {
  const here = await world(t, { edgeFlags: ['--handover-drain', '10m'] })
  const services = await here.services('web')
  await here.join('home')
  const { tunnels } = await here.publish('home', [String(services.http), `tcp://${services.echo}`])
  const [web, echo] = tunnels
  const streams = await Promise.all(Array.from({ length: STREAMS }, () => Talk.open(echo?.port ?? 0)))
  const asking = new Asking(here, web?.name ?? '')
  const took: number[] = []
  try {
    for (let done = 0; done < UPGRADES; done++) {
      await asking.answered(PER_SECOND)
      const startedAt = performance.now()
      const { code, stderr } = await here.edgeDo('upgrade')
      t.equal(code, 0, stderr)
      took.push(Math.round(performance.now() - startedAt))
    }
    await asking.answered(PER_SECOND)
  } finally {
    await asking.end()
  }
  t.same(asking.failures, [], `every one of ${asking.done} requests was answered`)
  for (const stream of streams) await stream.say()
  t.same(
    streams.flatMap(({ failure }) => failure ?? []),
    [],
    'no stream was cut',
  )
  const status = JSON.parse((await here.edgeDo('status', '--json')).stdout) as {
    generations: { generation: number; state: string; streams: number }[]
  }
  t.equal(status.generations.at(-1)?.generation, UPGRADES + 1)
  t.equal(status.generations[0]?.state, 'draining', 'the first one is there as long as its streams are')
  t.ok((status.generations[0]?.streams ?? 0) >= STREAMS)
  t.comment(
    `${asking.done} requests, ${asking.failures.length} failed; the slowest took ${Math.round(asking.slowestMs)} ms`,
  )
  t.comment(`upgrades took ${took.join(', ')} ms; processes at the end: ${status.generations.length}`)
  const [former] = status.generations
  for (const stream of streams) stream.close()
  await here.edge.untilLogged(/what ran has finished/)
  t.equal(former?.generation, 1)
})

/** Visitors who ask `PER_SECOND` times a second, half of them on connections of their own. */
class Asking {
  readonly failures: string[] = []
  done = 0
  slowestMs = 0
  readonly #kept = new Agent({ keepAlive: true, maxSockets: 50 })
  readonly #host: string
  readonly #port: number
  readonly #timer: NodeJS.Timeout
  readonly #open = new Set<Promise<void>>()
  #asked = 0
  /** Resolves with the next request that is over. */
  #next = Promise.withResolvers<void>()

  constructor(here: World, name: string) {
    this.#host = here.host(name)
    this.#port = Number(here.http.split(':').at(-1))
    const tickMs = 20
    this.#timer = setInterval(() => {
      for (let i = 0; i < (PER_SECOND * tickMs) / 1000; i++) this.#ask()
    }, tickMs)
  }

  /** Resolves when so many more have been answered. */
  async answered(more: number): Promise<void> {
    const until = this.done + this.failures.length + more
    while (this.done + this.failures.length < until) {
      this.#next = Promise.withResolvers()
      await this.#next.promise
    }
  }

  async end(): Promise<void> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    this.#kept.destroy()
  }

  #ask(): void {
    const number = ++this.#asked
    const asked: Promise<void> = this.#once(number).finally(() => this.#open.delete(asked))
    this.#open.add(asked)
  }

  async #once(number: number): Promise<void> {
    const startedAt = performance.now()
    const localAddress = `127.9.${number % 250}.1`
    const fresh = number % 2 === 0
    const asking = request({
      host: '127.0.0.1',
      port: this.#port,
      path: '/',
      headers: { host: this.#host },
      agent: fresh ? false : this.#kept,
      ...(fresh && { localAddress }),
    })
    asking.end()
    try {
      const [answer] = await once(asking, 'response')
      const parts: Buffer[] = await answer.toArray()
      if (answer.statusCode !== 200 || parts.length === 0) throw new Error(`status ${answer.statusCode}`)
      this.done++
    } catch (error) {
      const when = Math.round(performance.now() - startedAt)
      this.failures.push(`${fresh ? 'fresh' : 'kept'} after ${when} ms: ${String(error)}`)
    }
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedAt)
    this.#next.resolve()
  }
}
