// Several agents in one process: `crowd.ts FOLDER TARGET LINE…`, a join line for each. Each joins, publishes TARGET under its
// own name and stays. One JSON object a line, as each agent's `--json` would say it, with `agent` beside it.
import { join } from 'node:path'
import { Agent } from '@engawa/agent/agent'
import { joinEdge } from '@engawa/agent/join'
import { parseWish } from '@engawa/agent/wish'
import { pino } from 'pino'

const [folder = '', target = '', ...lines] = process.argv.slice(2)

for (const [index, line] of lines.entries()) {
  const home = join(folder, String(index))
  // oxlint-disable-next-line no-await-in-loop -- one after the other spares the edge while others begin
  const identity = await joinEdge(home, line)
  const name = identity.agent
  const agent = new Agent({ folder: home, identity, log: pino({ level: 'silent' }) })
  agent.start()
  const tell = (event: object): void => void process.stdout.write(`${JSON.stringify({ ...event, agent: name })}\n`)
  agent.join({ tell }, [])
  agent.publish({ tell }, parseWish({ target, name }))
}
