import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** What a run of all tests has built, else the source. */
const MAIN = process.env['ENGAWA_BUILT_EDGE'] ?? fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface Ended {
  readonly exit: number | null
  readonly out: string
  readonly err: string
}

/** Runs one command of the real program to its end; `stdout`, a file of ours, may take what it prints. */
export async function edge(
  args: readonly string[],
  { env = {}, stdout = 'pipe' }: { env?: Record<string, string>; stdout?: 'pipe' | number } = {},
): Promise<Ended> {
  const child = start(args, env, stdout)
  let [out, err] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text))
  const [exit] = (await once(child, 'close')) as [number | null]
  return { exit, out, err }
}

export interface Serving {
  readonly child: ChildProcess
  /** Events of `--json` so far. */
  readonly events: Record<string, unknown>[]
  /** The first event of that kind, past or to come. Rejects when the process ends before it. */
  event(kind: string): Promise<Record<string, unknown>>
  /** Its exit code; null when a signal killed it. */
  readonly ended: Promise<number | null>
  /** Signals it and waits for its end. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

/** Starts `edge run --json` with `args`. */
export function serve(args: readonly string[], env: Record<string, string> = {}): Serving {
  const child = start(['run', '--json', ...args], env)
  const events: Record<string, unknown>[] = []
  let err = ''
  const waiting = new Set<() => void>()
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text))
  if (child.stdout === null) throw new Error('no stdout')
  createInterface({ input: child.stdout }).on('line', (line) => {
    events.push(JSON.parse(line) as Record<string, unknown>)
    for (const look of waiting) look()
  })
  const closed = once(child, 'close') as Promise<[number | null]>
  return {
    child,
    events,
    ended: closed.then(([exit]) => {
      // It outlives those.
      if (err.includes('"a fault of the edge"')) throw new Error(err)
      return exit
    }),
    event: (kind) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = events.find((event) => event['event'] === kind)
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
        void closed.then(([exit]) => reject(new Error(`edge run ended with ${exit}: ${err}`)))
      }),
    end: async (signal = 'SIGTERM') => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      const [exit] = await closed
      return exit
    },
  }
}

function start(args: readonly string[], env: Record<string, string>, stdout: 'pipe' | number = 'pipe'): ChildProcess {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  return spawn(process.execPath, ['--conditions=engawa-source', MAIN, ...args], {
    env: { PATH, HOME, NODE_COMPILE_CACHE, LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', stdout, 'pipe'],
  })
}
