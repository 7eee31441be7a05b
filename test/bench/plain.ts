// Edge and agent over carriers without TLS, put together here alone: no flag reaches them.
// `plain.ts edge FOLDER CONFIG` · `plain.ts agent FOLDER CARRIER_PORT TARGET…`
import { readFileSync } from 'node:fs'
import { Agent } from '../../packages/agent/src/agent.ts'
import { needIdentity } from '../../packages/agent/src/identity.ts'
import { parseWish } from '../../packages/agent/src/wish.ts'
import { edgeSettings } from '../../packages/edge/src/config.ts'
import { startEdge } from '../../packages/edge/src/edge.ts'
import { createLog } from '../../packages/edge/src/log.ts'
import { compileSooner } from '../../packages/shared/src/compiling.ts'

const [, , program, folder = '', ...rest] = process.argv
const log = createLog('warn', (line) => process.stderr.write(line))
const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`)

if (program === 'edge') {
  const [path = ''] = rest
  const any = '127.0.0.1:0'
  const flags = { http: any, https: 'off', carrier: any, admin: 'off', bind: '127.0.0.1', publicHost: ['127.0.0.1'] }
  const file = { path, text: readFileSync(path, 'utf8') }
  const settings = edgeSettings({ flags, file, language: 'en', mayBindLow: false })
  await startEdge(settings, { folder, log, onEvent: say, plainCarriers: true })
} else {
  const [port = '', ...targets] = rest
  const identity = { ...needIdentity(folder), addresses: [`127.0.0.1:${port}`] }
  const agent = new Agent({ folder, identity, log, plain: true })
  agent.start()
  agent.join(
    { tell: say },
    targets.map((target) => parseWish({ target })),
  )
}
compileSooner()
