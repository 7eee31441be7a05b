// `npm run bench -- start`: how long edge and agent take until they serve, from the files that `npm run build` makes.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from '../support/command.ts'
import { cpuSecondsOf } from '../support/process.ts'
import { Program } from '../support/program.ts'

const ROUNDS = 9
/** Wanted, ms. */
const MOST_MS = { edge: 400, agent: 300 }
const PACKAGES = join(import.meta.dirname, '../../packages')

interface Start {
  readonly ms: number
  /** Until then, with all its children. Counted in steps of 10 ms. */
  readonly cpuMs: number
}

function built(program: 'edge' | 'agent', ...args: readonly string[]): [string, ...string[]] {
  const main = join(PACKAGES, program, `dist/program/engawa-${program}.cjs`)
  if (!existsSync(main)) throw new Error('npm run build has not been run')
  return [process.execPath, main, ...args]
}

async function started(command: [string, ...string[]], event: string): Promise<Start & { program: Program }> {
  const from = performance.now()
  const program = new Program({ name: event, command })
  await program.until(event)
  return { program, ms: performance.now() - from, cpuMs: cpuSecondsOf(program.pid) * 1000 }
}

async function execute(command: [string, ...string[]]): Promise<string> {
  const { code, stdout, stderr } = await run(command)
  if (code !== 0) throw new Error(`${command.join(' ')}: exit ${code}\n${stderr}`)
  return stdout
}

/** Prints medians and spreads; answers whether both are as fast as wanted. */
export async function start(): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'engawa-start-'))
  const [edgeData, agentData] = [join(folder, 'edge'), join(folder, 'agent')]
  const port = await freePort(2)
  const listens = ['--http', `127.0.0.1:${port}`, '--https', `127.0.0.1:${port + 1}`, '--admin', 'off']
  const edge = built('edge', 'run', '--json', '--data', edgeData, '--public-host', '127.0.0.1', ...listens)
  const agent = built('agent', 'expose', '9', '--json', '--data', agentData)
  const starts: Record<'first' | 'edge' | 'agent', Start[]> = { first: [], edge: [], agent: [] }
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
      const receiving = await started(edge, 'ready')
      starts[round === 0 ? 'first' : 'edge'].push(receiving)
      if (round === 0) {
        // oxlint-disable-next-line no-await-in-loop -- once
        const invitation = await execute(built('edge', 'invite', 'home', '--json', '--data', edgeData))
        // oxlint-disable-next-line no-await-in-loop -- once
        await execute(built('agent', 'join', (JSON.parse(invitation) as { line: string }).line, '--data', agentData))
      }
      // oxlint-disable-next-line no-await-in-loop -- one start at a time is measured
      const publishing = await started(agent, 'connected')
      if (round > 0) starts.agent.push(publishing)
      // oxlint-disable-next-line no-await-in-loop -- nothing else runs while the next one starts
      await publishing.program.stop()
      // oxlint-disable-next-line no-await-in-loop -- nothing else runs while the next one starts
      await receiving.program.stop()
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  console.log('\nstart from built files, ms (start)')
  tell('edge run to ready, an empty folder', starts.first)
  const edgeMs = tell('edge run to ready', starts.edge)
  const agentMs = tell('agent to connected', starts.agent)
  const reached = edgeMs <= MOST_MS.edge && agentMs <= MOST_MS.agent
  console.log(`  wanted at most ${MOST_MS.edge} and ${MOST_MS.agent}: ${reached ? 'reached' : 'NOT reached'}`)
  return reached
}

function tell(what: string, starts: readonly Start[]): number {
  const ms = starts.map((each) => Math.round(each.ms)).toSorted((a, b) => a - b)
  const cpu = starts.map(({ cpuMs }) => cpuMs).toSorted((a, b) => a - b)
  const median = ms[ms.length >> 1] ?? Number.NaN
  console.log(`  ${what.padEnd(36)} ${median} (${ms[0]}–${ms.at(-1)})   CPU ${cpu[cpu.length >> 1]?.toFixed(0)}`)
  return median
}
