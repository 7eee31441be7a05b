import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { mortal, plainEnv } from './program.ts'

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  env?: Readonly<Record<string, string>>
  /** Fed to its stdin, which ends after it. */
  input?: string | Readable
  cwd?: string
  deadlineMs?: number
}

/** Runs a command to its end. Never rejects for its exit code; past the deadline it is killed and `code` is null. */
export async function run(command: readonly [string, ...string[]], options: CommandOptions = {}): Promise<Result> {
  const chunks: Buffer[] = []
  const result = await feed(command, options, (bytes) => chunks.push(bytes))
  return { ...result, stdout: Buffer.concat(chunks).toString() }
}

export interface Hashed extends Result {
  readonly bytes: number
  readonly sha256: string
}

/** As `run`, for a command whose stdout is long: it is hashed instead of kept. `onBytes` hears how much came so far. */
export async function runHashed(
  command: readonly [string, ...string[]],
  options: CommandOptions & { onBytes?: (total: number) => void } = {},
): Promise<Hashed> {
  const hash = createHash('sha256')
  let bytes = 0
  const result = await feed(command, options, (chunk) => {
    hash.update(chunk)
    bytes += chunk.length
    options.onBytes?.(bytes)
  })
  return { ...result, stdout: '', bytes, sha256: hash.digest('hex') }
}

async function feed(
  command: readonly [string, ...string[]],
  { env, input, cwd, deadlineMs = 150_000 }: CommandOptions,
  onStdout: (bytes: Buffer) => void,
): Promise<Omit<Result, 'stdout'>> {
  const [file, ...args] = mortal(command)
  const child = spawn(file, args, {
    env: plainEnv(env),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(cwd && { cwd }),
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs)
  const onExit = (): boolean => child.kill('SIGKILL')
  process.once('exit', onExit)
  let stderr = ''
  child.stdout?.on('data', onStdout)
  child.stderr?.on('data', (text: Buffer) => {
    stderr = (stderr + text.toString()).slice(-64 * 1024)
  })
  if (child.stdin && input !== undefined) {
    // The command may end without reading all: that is its business.
    child.stdin.on('error', () => undefined)
    if (typeof input === 'string') child.stdin.end(input)
    else input.pipe(child.stdin)
  }
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('close', resolve)
      child.once('error', reject)
    })
    return { code, stderr }
  } finally {
    clearTimeout(timer)
    process.removeListener('exit', onExit)
  }
}
