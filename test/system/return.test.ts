import t from 'tap'
import { LONG, PATIENCE } from '../support/tools.ts'
import { world } from '../support/world.ts'

const TRIES = LONG ? 20 : 4

t.test('R2 kill -9 of the edge: its agent is back soon after it listens again', { timeout: 280_000 }, async (t) => {
  const here = await world(t)
  const services = await here.services('web')
  await here.join('home')
  const { agent, tunnel } = await here.publish('home', String(services.http))
  const took: number[] = []
  for (let count = 0; count < TRIES; count++) {
    const after = agent.mark
    await here.edge.kill()
    await agent.until('disconnected', { after })
    await here.startEdge()
    const readyAt = performance.now()
    const opened = await here.edge.until('tunnel_open', { witnesses: [agent] })
    took.push(performance.now() - readyAt)
    t.equal(opened['public'], tunnel.public, 'under the same name')
    await agent.until('connected', { after })
  }
  took.sort((a, b) => a - b)
  const p95 = took[Math.ceil(TRIES * 0.95) - 1] ?? 0
  t.comment(`R2 one agent: back ${took.map((ms) => Math.round(ms)).join(' ')} ms after the edge was ready`)
  t.ok(p95 <= 800 * PATIENCE, `p95 ${Math.round(p95)} ms`)
})
