import { type Code, codeOf, EngawaError } from '@engawa/shared/errors'
import { lockFolder } from '@engawa/shared/lock'
import { parseTunnelName, shownName } from '@engawa/shared/names'
import { pad, printable, widthOf } from '@engawa/shared/terminal'
import { pino } from 'pino'
import { Agent } from '../agent.ts'
import { adding, complaint } from '../complaint.ts'
import { ask } from '../control/remote.ts'
import type { SeatedVisitor } from '../deliver/loopback.ts'
import { type Identity, loadIdentity } from '../identity.ts'
import { spanText } from '../show/figures.ts'
import type { Context } from './context.ts'

/** How long `release` and `leave` look for the edge when no agent runs, milliseconds. */
const REACH_MS = 15_000

/** The edge could not be told: for now, or because there is none any more. */
const AWAY: ReadonlySet<Code> = new Set([
  'EDGE_NOT_FOUND',
  'EDGE_REFUSED_CONNECTION',
  'EDGE_TIMEOUT',
  'HANDSHAKE_TIMEOUT',
  'CARRIER_LOST',
  'PIN_MISMATCH',
  'TLS_INTERCEPTED',
  'AGENT_UNKNOWN',
])

interface Listed {
  readonly name: string
  readonly state: 'bound' | 'waiting' | 'refused'
  readonly public?: string
  readonly target: string
}

export async function ls({ line, folder, say, sayJson }: Context): Promise<number> {
  needState(folder)
  const tunnels = (await ask(folder, 'GET', '/tunnels')) as Listed[]
  for (const tunnel of tunnels) sayJson(tunnel)
  if (tunnels.length === 0) {
    say(line.words.nothingPublished)
    return 0
  }
  const { words } = line
  const states = { bound: words.stateBound, waiting: words.stateWaiting, refused: words.stateRefused }
  const rows = [
    [words.columnName, words.columnPublic, words.columnTarget, words.columnState],
    ...tunnels.map((tunnel) => [
      shownName(tunnel.name),
      printable(tunnel.public ?? '-'),
      tunnel.target,
      states[tunnel.state],
    ]),
  ]
  table(rows).forEach(say)
  return 0
}

/** Whose connections have which address of this machine, with `--visitor-address loopback`. */
export async function visitors({ line, folder, say, sayJson }: Context): Promise<number> {
  needState(folder)
  const seated = (await ask(folder, 'GET', '/visitors')) as SeatedVisitor[]
  for (const visitor of seated) sayJson(visitor)
  const { words } = line
  if (seated.length === 0) {
    say(words.nobodySeated)
    return 0
  }
  table([
    [words.columnLocal, words.columnVisitor, words.columnOpen, words.columnTotal, words.columnLast],
    ...seated.map((one) => [one.address, one.visitor, String(one.open), String(one.total), spanText(one.last_ms)]),
  ]).forEach(say)
  return 0
}

function table(rows: readonly (readonly string[])[]): string[] {
  const columns = rows[0]?.slice(0, -1) ?? []
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => widthOf(row[column] ?? ''))))
  return rows.map((row) => row.map((cell, column) => pad(cell, widths[column] ?? 0)).join('  '))
}

export async function rm({ line, folder, say, sayJson }: Context): Promise<number> {
  const name = parseTunnelName(line.rest[0] ?? '')
  needState(folder)
  await ask(folder, 'DELETE', `/tunnels/${name}`)
  say(line.words.removedDone(shownName(name, line.rest[0]), name))
  sayJson({ event: 'removed', name })
  return 0
}

export async function release({ line, folder, say, sayJson }: Context): Promise<number> {
  const name = parseTunnelName(line.rest[0] ?? '')
  const identity = needState(folder)
  try {
    await askOrDo(folder, identity, '/release', { name }, (agent) => agent.release(name))
  } catch (error) {
    if (codeOf(error) !== 'NAME_UNKNOWN') throw error
    throw complaint('NAME_UNKNOWN', (words) => words.nameNotHeld(shownName(name, line.rest[0])), error)
  }
  say(line.words.released(shownName(name, line.rest[0])))
  sayJson({ event: 'released', name })
  return 0
}

export async function leave({ line, folder, say, sayJson }: Context): Promise<number> {
  const identity = needState(folder)
  try {
    await askOrDo(folder, identity, '/leave', undefined, (agent) => agent.giveBack())
  } catch (error) {
    if (!(error instanceof EngawaError && AWAY.has(error.code))) throw error
    throw adding(error, (words) => words.leaveAnyway(folder))
  }
  say(line.words.left(shownName(identity.agent)))
  sayJson({ event: 'left', agent: identity.agent })
  return 0
}

/** Throws NO_STATE. */
export function needState(folder: string): Identity {
  const identity = loadIdentity(folder)
  if (identity === undefined) throw complaint('NO_STATE', (words) => words.noState(folder))
  return identity
}

/** Through the agent that runs; where none does, through a session of a moment. */
async function askOrDo(
  folder: string,
  identity: Identity,
  path: string,
  body: unknown,
  act: (agent: Agent) => Promise<void>,
): Promise<void> {
  try {
    await ask(folder, 'POST', path, body ?? {})
    return
  } catch (error) {
    if (codeOf(error) !== 'NOT_RUNNING') throw error
  }
  const lock = lockFolder(folder)
  const agent = new Agent({ folder, identity, log: pino({ level: 'silent' }), carriers: 1 })
  let timer: NodeJS.Timeout | undefined
  try {
    agent.start()
    const late = new Promise<never>((_, reject) => {
      const failed = (): void =>
        reject(agent.lastFailure ?? complaint('EDGE_TIMEOUT', (words) => words.disconnected(undefined)))
      timer = setTimeout(failed, REACH_MS)
    })
    await Promise.race([agent.whenUp(), late, agent.ended])
    await act(agent)
  } finally {
    clearTimeout(timer)
    agent.end()
    lock.release()
  }
}
