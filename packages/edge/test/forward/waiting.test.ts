import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { askHttp1 } from '../../src/forward/http1.ts'
import { Promptness } from '../../src/forward/promptness.ts'
import { ServiceAgent } from '../../src/forward/service.ts'
import type { Outgoing, Upstream } from '../../src/forward/upstream.ts'
import { FakeStream } from '../http1/fake-stream.ts'
import { asking, type Heard, hearing, nothing } from '../http1/heard.ts'

/** Connections that are opened for requests at once before one waits. */
const AT_ONCE = 32
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A visitor connection over HTTP/2, whose service connections lead to the test. */
class Visit {
  readonly agent: ServiceAgent
  readonly streams: FakeStream[] = []
  readonly #promptness = new Promptness()
  #full = false

  constructor(kept = AT_ONCE) {
    this.agent = new ServiceAgent(kept)
  }

  ask(path: string, other: Partial<Outgoing> = {}): { heard: Heard; upstream: Upstream } {
    const heard = nothing()
    const open = (): FakeStream => {
      if (this.#full) throw new Error('full')
      const stream = new FakeStream()
      this.streams.push(stream)
      return stream
    }
    const outgoing = { ...asking(new FakeStream()), path, open, promptness: this.#promptness, ...other }
    const upstream = askHttp1(outgoing, this.agent, hearing(heard))
    if (!outgoing.hasBody) upstream.end()
    return { heard, upstream }
  }
  askAll(count: number, other: Partial<Outgoing> = {}): { heard: Heard; upstream: Upstream }[] {
    return Array.from({ length: count }, (_, index) => this.ask(`/${index}`, other))
  }
  /** Its service takes no more of them. */
  fill(): void {
    this.#full = true
  }
  /** The heads that went out, a path each. */
  get asked(): string[][] {
    return this.streams.map(({ written }) => [...written.matchAll(/^GET (\S+) /gm)].map(([, path = '']) => path))
  }
  async until(count: number): Promise<void> {
    while (this.streams.length < count) await turn()
  }
}

t.test(
  'past so many at once a request goes on the first connection that gets free, in the order they came',
  async (t) => {
    const visit = new Visit()
    const all = visit.askAll(AT_ONCE + 2)
    t.equal(visit.streams.length, AT_ONCE)
    visit.streams[7]?.say(OK)
    visit.streams[3]?.say(OK)
    t.strictSame(
      [visit.asked[7], visit.asked[3]],
      [
        ['/7', '/32'],
        ['/3', '/33'],
      ],
    )
    visit.streams[3]?.say(OK)
    visit.streams[7]?.say(OK)
    await turn()
    t.strictSame([all[32]?.heard.body, all[33]?.heard.body], ['ok', 'ok'])
    visit.ask('/later')
    t.equal(visit.streams.length, AT_ONCE, 'one of those that are free')
    visit.agent.destroy()
  },
)

t.test('nobody waits where none gets free, nor does anybody from then on', async (t) => {
  const visit = new Visit()
  visit.askAll(AT_ONCE + 8)
  t.equal(visit.streams.length, AT_ONCE)
  await visit.until(AT_ONCE + 8)
  visit.ask('/later')
  t.equal(visit.streams.length, AT_ONCE + 9)
  visit.agent.destroy()
})

t.test('nor where the service is known to take its time', async (t) => {
  const slow = new Promptness()
  slow.heard(20, performance.now())
  const visit = new Visit()
  visit.askAll(AT_ONCE + 8, { promptness: slow })
  t.equal(visit.streams.length, AT_ONCE + 8)
  visit.agent.destroy()
})

t.test('nor what must not be sent twice, nor for a connection of another service', async (t) => {
  const visit = new Visit()
  visit.askAll(AT_ONCE)
  visit.ask('/', { method: 'POST' })
  visit.ask('/', { method: 'PUT', hasBody: true, fields: ['Host', 'a', 'Content-Length', '2'] })
  visit.ask('/', { service: 'other' })
  t.equal(visit.streams.length, AT_ONCE + 3)
  visit.agent.destroy()
})

t.test('where a connection ends the next who waits gets a new one, or hears why not', async (t) => {
  const visit = new Visit()
  const [, , , ...rest] = visit.askAll(AT_ONCE + 2)
  visit.streams[0]?.say(OK.replace('\r\n', '\r\nConnection: close\r\n'))
  t.strictSame(visit.asked[AT_ONCE], ['/32'])
  visit.fill()
  visit.streams[1]?.lose('SERVICE_BROKE')
  await turn()
  t.equal(rest.at(-1)?.heard.end, 'broken')
  t.equal(visit.streams.length, AT_ONCE + 1)
  visit.agent.destroy()
})

t.test('who leaves while waiting is never asked for', async (t) => {
  const visit = new Visit()
  const waiting = visit.askAll(AT_ONCE + 3).slice(AT_ONCE)
  waiting[0]?.upstream.destroy()
  visit.streams[0]?.say(OK)
  t.strictSame(visit.asked[0], ['/0', '/33'])
  waiting[1]?.upstream.destroy()
  t.equal(visit.streams[0]?.resetBy, 'CANCELLED', 'whose turn has come is taken back like any other')
  t.strictSame(visit.asked[AT_ONCE], ['/34'])
  visit.agent.destroy()
})

t.test('the visitor is gone: nobody is asked any more', async (t) => {
  const visit = new Visit()
  visit.askAll(AT_ONCE + 3)
  visit.agent.destroy()
  await turn()
  t.equal(visit.streams.length, AT_ONCE)
  t.notOk(visit.streams.some(({ closed }) => !closed))
})

t.test('an answer that was quick counts for a while, and one that was slow does not outlive it', async (t) => {
  const promptness = new Promptness()
  t.equal(promptness.soonestMs, undefined)
  promptness.heard(50, 20_000)
  promptness.heard(2, 21_000)
  promptness.heard(30, 29_000)
  t.equal(promptness.soonestMs, 2)
  promptness.heard(40, 31_000)
  t.equal(promptness.soonestMs, 2)
  promptness.heard(40, 42_000)
  t.equal(promptness.soonestMs, 40)
})

t.test('connections of a burst are there for the next one, and most of them only for a moment', async (t) => {
  const visit = new Visit(2)
  visit.askAll(8)
  for (const stream of visit.streams) stream.say(OK)
  visit.askAll(8)
  t.equal(visit.streams.length, 8)
  for (const stream of visit.streams) stream.say(OK)
  while (visit.streams.filter(({ ended }) => !ended).length > 2) await turn()
  t.equal(visit.streams.filter(({ ended }) => !ended).length, 2)
  visit.agent.destroy()
})

t.test('so many services as a visitor asks by turns, so few connections to them stay', async (t) => {
  const visit = new Visit(2)
  for (let count = 0; count < 300; count++) {
    visit.ask('/', { service: String(count) })
    visit.streams.at(-1)?.say(OK)
  }
  t.equal(visit.streams.filter(({ ended }) => !ended).length, 100)
  visit.agent.destroy()
})
