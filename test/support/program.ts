import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { familyOf } from './process.ts'
import { findTool } from './tools.ts'

/** One line of a program's `--json` output. */
export type Event = { readonly event: string } & Readonly<Record<string, unknown>>

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ProgramOptions {
  /** As failures name it. */
  name: string
  /** First the program, then its arguments. */
  command: readonly [string, ...string[]]
  env?: Readonly<Record<string, string>>
  cwd?: string
}

const running = new Set<ChildProcess>()
let guarding = false

/** Whatever ends this process, what it started ends first: a test that dies leaves nothing behind. */
function guard(child: ChildProcess): void {
  running.add(child)
  child.once('exit', () => running.delete(child))
  if (guarding) return
  guarding = true
  process.on('exit', () => {
    for (const other of running) other.kill('SIGKILL')
  })
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
    if (process.listenerCount(signal) === 0) process.once(signal, () => process.exit(1))
  }
}

const SETPRIV = findTool('setpriv')

/** Asks the kernel to end the child with this process, whatever ends that: a test killed with -9 leaves nothing behind. */
export function mortal(command: readonly [string, ...string[]]): [string, ...string[]] {
  return SETPRIV === undefined ? [...command] : [SETPRIV, '--pdeathsig', 'KILL', '--', ...command]
}

/** The environment of every program under test: this process's, without what would change language, defaults or speed. */
export function plainEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env }
  for (const name of Object.keys(env)) {
    if (/^(?:LC_|LANG|TAP|_TAPJS|npm_|NODE_OPTIONS$|XDG_STATE_HOME$|http_proxy$|https_proxy$|all_proxy$)/i.test(name)) {
      delete env[name]
    }
  }
  return { ...env, LANG: 'C.UTF-8', ...extra }
}

const KEEP_LINES = 2000
/** What the log of an edge says of an error that nobody caught. */
const FAULT = '"a fault of the edge"'
/** Of what comes soon wherever there is a processor to be had. */
const DEADLINE_MS = 90_000

/** A real process that says on stdout, one JSON object a line, what happens to it. */
export class Program {
  readonly name: string
  readonly child: ChildProcess
  readonly events: Event[] = []
  /** Lines of stdout that are no JSON object. */
  readonly lines: string[] = []
  /** Lines of stderr, the newest 2,000. */
  readonly log: string[] = []
  /** Those of them that tell of faults, all. */
  readonly faults: string[] = []
  readonly exited: Promise<Exit>
  exit: Exit | undefined
  #waiting = new Set<() => void>()

  constructor({ name, command, env, cwd }: ProgramOptions) {
    this.name = name
    const [file, ...args] = mortal(command)
    this.child = spawn(file, args, { env: plainEnv(env), stdio: ['ignore', 'pipe', 'pipe'], ...(cwd && { cwd }) })
    guard(this.child)
    this.#read()
    this.exited = new Promise((resolve) => {
      const done = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.exit ??= { code, signal }
        resolve(this.exit)
        this.#wake()
      }
      this.child.once('close', done)
      this.child.once('error', (error) => {
        this.log.push(String(error))
        done(127, null)
      })
    })
  }

  get pid(): number {
    return this.child.pid ?? -1
  }

  /** How many events there are by now: pass it as `after` to wait for a newer one. */
  get mark(): number {
    return this.events.length
  }

  /** The first event that `wanted` accepts, past or to come. Rejects with everything the program said. */
  async until(
    wanted: string | ((event: Event) => boolean),
    { deadlineMs = DEADLINE_MS, after = 0, witnesses = [] as readonly Program[] } = {},
  ): Promise<Event> {
    const accepts = typeof wanted === 'string' ? (event: Event) => event.event === wanted : wanted
    const deadline = performance.now() + deadlineMs
    let seen = after
    for (;;) {
      for (; seen < this.events.length; seen++) {
        const event = this.events[seen]
        if (event !== undefined && accepts(event)) return event
      }
      const leftMs = deadline - performance.now()
      if (this.exit !== undefined || leftMs <= 0) {
        const how = this.exit ? `it ended with ${this.exit.code ?? this.exit.signal}` : `${deadlineMs} ms passed`
        const reports = [this, ...witnesses].map((program) => program.report()).join('\n')
        throw new Error(`${this.name}: ${how} before the event ${String(wanted)}\n${reports}`)
      }
      // oxlint-disable-next-line no-await-in-loop -- one event after the other
      await this.#something(leftMs)
    }
  }

  /** Resolves once so many lines of its log match: for what no event tells. */
  async untilLogged(wanted: RegExp, { deadlineMs = DEADLINE_MS, times = 1 } = {}): Promise<void> {
    const deadline = performance.now() + deadlineMs
    while (this.log.filter((line) => wanted.test(line)).length < times) {
      const leftMs = deadline - performance.now()
      if (this.exit !== undefined || leftMs <= 0)
        throw new Error(`${this.name} never logged ${wanted}\n${this.report()}`)
      // oxlint-disable-next-line no-await-in-loop -- one line after the other
      await this.#something(leftMs)
    }
  }

  /** What the program said so far, for a failure's message. */
  report(): string {
    const events = this.events.slice(-40).map((event) => `  ${JSON.stringify(event)}`)
    const rest = [...this.lines.slice(-20), ...this.log.slice(-60)].map((line) => `  ${line}`)
    return [`--- ${this.name} (pid ${this.pid}) events:`, ...events, `--- ${this.name} other output:`, ...rest].join(
      '\n',
    )
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Stops it, and all that it has started, in the middle of whatever they do; `thaw` lets them go on. */
  freeze(): void {
    for (const pid of familyOf(this.pid)) process.kill(pid, 'SIGSTOP')
  }

  thaw(): void {
    for (const pid of familyOf(this.pid)) process.kill(pid, 'SIGCONT')
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.exited
  }

  /** Asks it to end, insists after `patienceMs`. */
  async stop(patienceMs = 20_000): Promise<Exit> {
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), patienceMs)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  #read(): void {
    if (this.child.stdout) createInterface({ input: this.child.stdout }).on('line', (line) => this.#said(line))
    if (this.child.stderr) {
      createInterface({ input: this.child.stderr }).on('line', (line) => {
        this.log.push(line)
        if (line.includes(FAULT)) this.faults.push(line)
        if (this.log.length > KEEP_LINES) this.log.shift()
        this.#wake()
      })
    }
  }

  #said(line: string): void {
    const event = parse(line)
    if (event) this.events.push(event)
    else this.lines.push(line)
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
  }

  #something(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#waiting.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

function parse(line: string): Event | undefined {
  if (!line.startsWith('{')) return undefined
  try {
    return JSON.parse(line) as Event
  } catch {
    return undefined
  }
}
