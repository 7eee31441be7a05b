import { isNodeNewEnough } from '@engawa/shared/node'
import { FLAGS, type FlagShape } from './commands/grammar.ts'
import { GENERATION_VARIABLE } from './front/variable.ts'
import { Told } from './generation/told.ts'

/** Columns where nobody can be asked, and the most that help fills. */
const COLUMNS = { usual: 80, most: 100 }

export interface ProcessOptions {
  /** HTTP/1.1 is read by Node's parser alone: for tests, which start the edge from a file of their own; no flag reaches it. */
  readonly nodeHttp?: boolean
}

/** The whole process: a command, or one of the two of `edge run`. Sets the exit code. */
export async function runProcess({ nodeHttp = false }: ProcessOptions = {}): Promise<void> {
  // Who reads our output may leave first (`| head`): that is no reason to stop serving.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

  const argv = process.argv.slice(2)
  const isGeneration = process.env[GENERATION_VARIABLE] === '1' && process.send !== undefined
  delete process.env[GENERATION_VARIABLE]

  // What is not needed is not loaded: the front of an edge is to cost next to nothing.
  if (!isGeneration && serves(argv) && isNodeNewEnough()) {
    const { runFront } = await import('./front/main.ts')
    process.exitCode = await runFront()
  } else {
    const stopped = new Told()
    const hungUp = new Told()
    if (isGeneration) {
      // A terminal's Ctrl-C reaches every process of it; a generation waits for the front's word.
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
    }
    const orders = { stop: () => stopped.tell(), hangup: () => hungUp.tell() }
    const peers = isGeneration ? new (await import('./generation/front-peers.ts')).FrontPeers(orders) : undefined
    const { program } = await import('./commands/program.ts')
    process.exitCode = await program(argv, {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
      env: process.env,
      columns: Math.min(process.stdout.columns ?? COLUMNS.usual, COLUMNS.most),
      outIsTty: process.stdout.isTTY,
      errIsTty: process.stderr.isTTY,
      onSignal: (listener) => {
        stopped.hear(listener)
        if (!isGeneration) for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, listener)
      },
      onHangup: (listener) => {
        hungUp.hear(listener)
        if (!isGeneration) process.on('SIGHUP', listener)
      },
      ...(peers && { peers }),
      nodeHttp,
    })
    peers?.leave()
  }
}

/** Whether this command line is `edge run`, as far as one look tells; help is for the program. */
function serves(words: readonly string[]): boolean {
  const shapes: Record<string, FlagShape | undefined> = FLAGS
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (!word.startsWith('-')) return word === 'run' && !words.some((other) => /^--(help|version)\b/.test(other))
    const takesNext = !word.includes('=') && shapes[word.slice(2)]?.kind !== 'alone'
    if (takesNext) at++
  }
  return false
}
