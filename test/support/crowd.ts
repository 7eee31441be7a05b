// Several agents in one process: `crowd.ts FOLDER TARGET LINE…`, a join line for each. Each joins, publishes TARGET under its
// own name and stays. One JSON object a line, as each agent's `--json` would say it, with `agent` beside it.
import { join } from 'node:path'
import pino from 'pino'
import { Agent } from '../../packages/agent/src/agent.ts'
import { joinEdge } from '../../packages/agent/src/join.ts'
import { parseWish } from '../../packages/agent/src/wish.ts'

const [folder = '', target = '', ...lines] = process.argv.slice(2)
const log = pino({ level: process.env['ENGAWA_CROWD_LOG'] ?? 'silent' }, pino.destination(2))

for (const [index, line] of lines.entries()) {
  const home = join(folder, String(index))
  // oxlint-disable-next-line no-await-in-loop -- one after the other spares the edge while others begin
  const identity = await joinEdge(home, line)
  const name = identity.agent
  const agent = new Agent({ folder: home, identity, log: log.child({ agent: name }) })
  agent.start()
  const tell = (event: object): void => void process.stdout.write(`${JSON.stringify({ ...event, agent: name })}\n`)
  agent.join({ tell }, [])
  agent.publish({ tell }, parseWish({ target, name }))
}
