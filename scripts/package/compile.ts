import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Bundle } from './bundle.ts'
import { PROGRAMS, type Program } from './parts.ts'

const KEEP = join(import.meta.dirname, 'keep-code.cjs')
/** How long a program may take to say or do what is awaited, ms; a slow machine emulates another one. */
const PATIENCE_MS = 120_000
const LOCAL = '127.0.0.1:0'

/**
 * Lets the programs do once what they do all day, on 127.0.0.1, and keeps what V8 has compiled of their scripts by then:
 * a start that has it need not even read them closely.
 */
export async function compile(bundles: Readonly<Record<Program, Bundle>>, scratch: string): Promise<void> {
  const command = (program: Program, ...args: readonly string[]): string[] => {
    return [
      '--require',
      KEEP,
      bundles[program].main,
      ...args,
      '--json',
      '--log-level',
      'error',
      '--data',
      join(scratch, `compile-${program}`),
    ]
  }
  const service = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  const listens = ['--http', LOCAL, '--https', LOCAL, '--admin', LOCAL, '--public-host', '127.0.0.1']
  const edge = new Running(command('edge', 'run', ...listens))
  let agent: Running | undefined
  try {
    const { http } = await edge.until('ready')
    const { line } = JSON.parse(execute(command('edge', 'invite', 'home'))) as { line: string }
    execute(command('agent', 'join', line))
    const { port } = service.address() as AddressInfo
    agent = new Running(command('agent', 'expose', `${port}`, '--name', 'web'))
    await agent.until('tunnel')
    await visit(Number(/:(\d+)$/.exec(String(http))?.[1]), 'web.localhost')
  } finally {
    await agent?.stop()
    await edge.stop()
    service.close()
  }
  for (const program of PROGRAMS) {
    const { code, main } = bundles[program]
    if (!existsSync(code)) throw new Error(`${code} was not made`)
    // Throws if it is not taken.
    execute(['--require', KEEP, main, '--version'])
  }
}

function execute(args: readonly string[]): string {
  return execFileSync(process.execPath, args, { encoding: 'utf8', env: plain(), timeout: PATIENCE_MS })
}

/** A visitor's request, read to its end. */
function visit(port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    get({ host: '127.0.0.1', port, headers: { host }, agent: false, signal }, (response) => {
      response.resume().once('end', resolve).once('error', reject)
    }).once('error', reject)
  })
}

/** Without what would change language or flags. */
function plain(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: process.env['HOME'], LANG: 'C.UTF-8' }
}

/** A program that says on stdout what happens to it, one JSON object a line. */
class Running {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #events: { event: string; [key: string]: unknown }[] = []
  readonly #heard = new Set<() => void>()

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], env: plain() })
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve))
    if (this.#child.stdout === null) return
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      this.#events.push(JSON.parse(line) as { event: string })
      for (const hear of this.#heard) hear()
    })
  }

  async until(event: string): Promise<Record<string, unknown>> {
    const late = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS)
    try {
      for (;;) {
        const found = this.#events.find((told) => told.event === event)
        if (found !== undefined) return found
        const next = new Promise((resolve) => this.#heard.add(() => resolve(true)))
        // oxlint-disable-next-line no-await-in-loop -- one event after the other
        if ((await Promise.race([next, this.#ended])) !== true) throw new Error(`it ended before "${event}"`)
      }
    } finally {
      clearTimeout(late)
    }
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
  }
}
