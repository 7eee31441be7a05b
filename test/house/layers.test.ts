import t from 'tap'
import { violations } from '../../scripts/layers.ts'

const forbidden: [file: string, source: string][] = [
  ['packages/shared/src/wire/frame.ts', "import { Session } from '../mux/session.ts'"],
  ['packages/shared/src/wire/frame.ts', "import { Session } from '@engawa/shared/mux/session'"],
  ['packages/shared/src/wire/frame.ts', "import net from 'node:net'"],
  ['packages/shared/src/mux/session.ts', "import type {\n  Duplex,\n} from 'node:stream'"],
  ['packages/shared/src/mux/session.ts', "import WebSocket from 'ws'"],
  ['packages/shared/src/mux/session.ts', "export { Carrier } from '../carrier/carrier.ts'"],
  ['packages/shared/src/errors.ts', "import { Frame } from './wire/frame.ts'"],
  ['packages/shared/src/carrier/pump.ts', "import { edge } from '@engawa/edge/edge'"],
  ['packages/edge/src/edge.ts', "import { dial } from '@engawa/agent/dial'"],
  ['packages/edge/src/edge.ts', "const dial = await import('@engawa/agent/dial')"],
  ['packages/edge/src/edge.ts', "import { dial } from '../../agent/src/dial.ts'"],
  ['packages/edge/src/edge.ts', "import { Session } from '../../shared/src/mux/session.ts'"],
  ['packages/agent/src/agent.ts', "import '@engawa/edge/edge'"],
  ['packages/agent/test/agent.test.ts', "import { edge } from '@engawa/edge/edge'"],
]

const allowed: [file: string, source: string][] = [
  ['packages/shared/src/wire/frame.ts', "import { EngawaError } from '../errors.ts'"],
  ['packages/shared/src/mux/session.ts', "import { encode } from '../wire/frame.ts'"],
  ['packages/shared/src/carrier/pump.ts', "import { Session } from '../mux/session.ts'\nimport net from 'node:net'"],
  ['packages/shared/test/wire/frame.test.ts', "import { encode } from '../../src/wire/frame.ts'"],
  ['packages/edge/src/edge.ts', "import { Session } from '@engawa/shared/mux/session'\nimport { a } from './admit.ts'"],
  ['packages/agent/test/agent.test.ts', "import { agent } from '../src/agent.ts'"],
  ['test/system/world.ts', "import { edge } from '@engawa/edge/edge'"],
]

for (const [file, source] of forbidden) {
  t.test(`${file} is refused: ${JSON.stringify(source)}`, async (t) => {
    t.match(violations(file, source), [{ file }], 'one violation')
  })
}

for (const [file, source] of allowed) {
  t.test(`${file} is allowed: ${JSON.stringify(source)}`, async (t) => {
    t.same(violations(file, source), [])
  })
}
