// A thousand visitors of one UDP port: each hears its own, in order, from the first on; what is lost is found in a count.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Figures } from '../support/figures.ts'
import type { Event } from '../support/program.ts'
import { LONG } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

const VISITORS = 1000
/** Bursts of four datagrams of each visitor. */
const ROUNDS = LONG ? 25 : 1
/** Datagrams of each visitor that nobody waits for. */
const FLOOD = LONG ? 20 : 4

/** What the kernel has dropped at the sockets of this test: proc_net_udp(5), the last column. */
function droppedByKernel(edge: number, service: number): number {
  const [asked = '', served = ''] = [edge, service].map(
    (port) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`,
  )
  return readFileSync('/proc/net/udp', 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, local = '', remote = '']) =>
        local.endsWith(asked) || local.endsWith(served) || remote.endsWith(served) || /^[\dA-F]{4}077F:/.test(local),
    )
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0)
}

async function droppedByUs(here: World, name: string): Promise<number> {
  const [edge, agent] = await Promise.all([Figures.ofEdge(here), Figures.ofAgent(here, 'home')])
  return (
    edge.count(`engawa_edge_tunnel_datagrams_dropped_total{tunnel="${name}"}`) +
    agent.count(`engawa_agent_tunnel_datagrams_dropped_total{tunnel="${name}"}`)
  )
}

t.test(`${VISITORS} visitors, interleaved`, { timeout: LONG ? 300_000 : 280_000 }, async (t) => {
  const here = await world(t)
  const support = join(import.meta.dirname, '../support')
  const echo = here.start('echo', [process.execPath, join(support, 'udp-echo.ts')])
  const service = Number((await echo.until('ready'))['port'])
  await here.join('home')
  const { tunnel } = await here.publish('home', `udp://${service}`)
  const task = { port: tunnel.port, visitors: VISITORS, rounds: ROUNDS, flood: FLOOD }
  const visitors = here.start('visitors', [process.execPath, join(support, 'udp-visitors.ts'), JSON.stringify(task)])
  const paced = await visitors.until('paced', { deadlineMs: LONG ? 200_000 : 60_000 })
  t.match(paced, { foreign: 0, disordered: 0, firstLost: 0 })
  const pacedLost = Number(paced['sent']) - Number(paced['answered'])

  // Until nothing is under way any more: what was sent has come back, or is found in one of the counts.
  const deadline = performance.now() + 45_000
  let flooded: Event
  let lost = 0
  let kernel = 0
  let ours = 0
  do {
    const after = visitors.mark
    visitors.signal('SIGUSR2')
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    flooded = await visitors.until('flooded', { after })
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    ours = await droppedByUs(here, tunnel.name)
    kernel = droppedByKernel(tunnel.port, service)
    lost = Number(flooded['sent']) - Number(flooded['answered'])
  } while (lost !== ours + kernel && performance.now() < deadline)
  t.match(flooded, { foreign: 0, disordered: 0 })
  t.equal(lost, ours + kernel, 'each lost datagram is counted somewhere')
  t.comment(
    `${String(paced['sent'])} in bursts of four: ${pacedLost} lost; ${VISITORS * FLOOD} in one flood: ${lost - pacedLost} lost, of all ${kernel} at a full socket of the kernel and ${ours} counted by edge and agent`,
  )
})
