import { spawn } from 'node:child_process'

/** What runs this process as a service is told how it is. Does nothing where nobody asked. sd_notify(3) */
export interface Manager {
  /** It serves, and from now on it shows at intervals that it is alive. */
  ready(): void
  /** One line for people. */
  status(text: string): void
  /** It stops, and may take so long for that, ms: the manager is asked to wait. The first call counts. */
  stopping(drainMs: number): void
}

const NOBODY: Manager = { ready: () => {}, status: () => {}, stopping: () => {} }

/** Signs of life come this much more often than the manager wants one. systemd asks for half. */
const PER_PERIOD = 2

/** What a stop takes besides its drain, ms. As much as the units of deploy/ allow beyond the usual drain. */
const FAREWELL_MS = 15_000

/**
 * The service manager that set NOTIFY_SOCKET. Node opens no datagram sockets of the Unix family, so `systemd-notify`
 * speaks for us, which the unit has to allow (NotifyAccess=all). `missing` hears, once, when it is not there.
 */
export function serviceManager(
  env: Readonly<Record<string, string | undefined>>,
  missing: (error: Error) => void = () => {},
): Manager {
  if (env['NOTIFY_SOCKET'] === undefined) return NOBODY
  return new SystemdManager(env, missing)
}

class SystemdManager implements Manager {
  readonly #env: Readonly<Record<string, string | undefined>>
  readonly #missing: (error: Error) => void
  #beat: NodeJS.Timeout | undefined
  #failed = false
  #stops = false
  /** What is still to be said; a newer status takes the place of an older one. */
  #waiting = new Map<string, string>()
  #speaking = false

  constructor(env: Readonly<Record<string, string | undefined>>, missing: (error: Error) => void) {
    this.#env = env
    this.#missing = missing
  }

  ready(): void {
    this.#say('READY', '1')
    const everyMs = Number(this.#env['WATCHDOG_USEC'] ?? 0) / 1000 / PER_PERIOD
    const mine = this.#env['WATCHDOG_PID'] ?? String(process.pid)
    if (everyMs > 0 && mine === String(process.pid) && this.#beat === undefined) {
      this.#beat = setInterval(() => this.#say('WATCHDOG', '1'), everyMs)
      this.#beat.unref()
    }
  }

  status(text: string): void {
    this.#say('STATUS', text.replaceAll(/\s+/g, ' '))
  }

  /** Signs of life go on: systemd wants none now, but one that comes late would make it want more. */
  stopping(drainMs: number): void {
    if (this.#stops) return
    this.#stops = true
    this.#say('STOPPING', '1')
    // It never shortens what the unit allows.
    this.#say('EXTEND_TIMEOUT_USEC', String((drainMs + FAREWELL_MS) * 1000))
  }

  #say(key: string, value: string): void {
    this.#waiting.set(key, value)
    this.#speak()
  }

  /** One process at a time: what is said arrives in order, and a machine that hangs gathers no processes. */
  #speak(): void {
    if (this.#speaking || this.#failed || this.#waiting.size === 0) return
    const words = [...this.#waiting].map(([key, value]) => `${key}=${value}`)
    this.#waiting.clear()
    this.#speaking = true
    const child = spawn('systemd-notify', words, { stdio: 'ignore', env: { ...this.#env } })
    const done = (): void => {
      this.#speaking = false
      this.#speak()
    }
    child.once('error', (error) => {
      this.#failed = true
      this.#missing(error)
      done()
    })
    child.once('exit', done)
  }
}
