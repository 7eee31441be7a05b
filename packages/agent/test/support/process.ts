import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

/** What a run of all tests has built, else the source. */
const MAIN = process.env['ENGAWA_BUILT_AGENT'] ?? fileURLToPath(new URL('../../src/main.ts', import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** An `agent` process. Its environment speaks English and has no home of ours. */
export class AgentProcess {
  readonly child: ChildProcess
  readonly #lines: string[] = []
  readonly #waiting = new Set<() => void>()
  #err = ''
  readonly exited: Promise<Ran>

  /** `stdout`, a file of ours, may take what it prints. */
  constructor(t: Test, args: readonly string[], env: Record<string, string> = {}, stdout: 'pipe' | number = 'pipe') {
    const { PATH, NODE_COMPILE_CACHE } = process.env
    this.child = spawn(process.execPath, ['--conditions=engawa-source', MAIN, ...args], {
      env: { PATH, NODE_COMPILE_CACHE, HOME: '/nonexistent', LANG: 'C.UTF-8', ...env },
      stdio: ['ignore', stdout, 'pipe'],
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text
    })
    if (this.child.stdout !== null) {
      createInterface({ input: this.child.stdout }).on('line', (line) => {
        this.#lines.push(line)
        for (const look of this.#waiting) look()
      })
    }
    this.exited = once(this.child, 'close').then(([code]) => ({
      code: code as number | null,
      out: this.#lines.join('\n'),
      err: this.#err,
    }))
    t.teardown(async () => {
      this.child.kill('SIGKILL')
      await this.exited
    })
  }

  get lines(): readonly string[] {
    return this.#lines
  }

  get err(): string {
    return this.#err
  }

  /** The first JSON line, past or to come, of that event (and after `from` lines). */
  async event(name: string, from = 0): Promise<Record<string, unknown>> {
    const line = await this.line(
      (text) => text.startsWith('{') && (JSON.parse(text) as { event: string }).event === name,
      from,
    )
    return JSON.parse(line) as Record<string, unknown>
  }

  line(wanted: (line: string) => boolean, from = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.#lines.slice(from).find(wanted)
        if (found === undefined) return
        this.#waiting.delete(look)
        resolve(found)
      }
      this.#waiting.add(look)
      void this.exited.then(({ err }) => reject(new Error(`it ended first: ${err}`)))
      look()
    })
  }
}

export function runAgent(t: Test, args: readonly string[], env?: Record<string, string>): Promise<Ran> {
  return new AgentProcess(t, args, env).exited
}
