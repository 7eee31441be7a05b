import { isNodeNewEnough } from '@engawa/shared/node'
import { FLAGS, type FlagShape } from './commands/grammar.ts'
import { spawnGeneration } from './front/spawn.ts'
import { GENERATION_VARIABLE } from './front/variable.ts'

export interface ProcessOptions {
  /** HTTP/1.1 is read by Node's parser alone: for tests, which start the edge from a file of their own; no flag reaches it. */
  readonly nodeHttp?: boolean
}

/** The whole process: a command, or one of the two of `edge run`. Sets the exit code. */
export async function runProcess({ nodeHttp = false }: ProcessOptions = {}): Promise<void> {
  const argv = process.argv.slice(2)
  const isGeneration = process.env[GENERATION_VARIABLE] === '1' && process.send !== undefined
  const isFront = !isGeneration && serves(argv) && isNodeNewEnough()
  // Before anything else is loaded: most of a start is the generation's own.
  const first = isFront ? spawnGeneration() : undefined
  delete process.env[GENERATION_VARIABLE]
  if (isGeneration) {
    // A terminal's Ctrl-C reaches every process of it; a generation waits for the front's word.
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
  }

  // Who reads our output may leave first (`| head`): that is no reason to stop serving.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

  // What is not needed is not loaded: the front of an edge is to cost next to nothing.
  if (first !== undefined) {
    const { runFront } = await import('./front/main.ts')
    process.exitCode = await runFront(first)
  } else {
    const { runProgram } = await import('./commands/process.ts')
    process.exitCode = await runProgram(argv, { isGeneration, nodeHttp })
  }
}

/** Whether this command line is `edge run`, as far as one look tells; help is for the program. */
function serves(words: readonly string[]): boolean {
  const shapes: Record<string, FlagShape | undefined> = FLAGS
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? ''
    if (!word.startsWith('-'))
      return word === 'run' && !words.some((other) => /^(?:--(?:help|version)\b|-h$)/.test(other))
    const takesNext = !word.includes('=') && shapes[word.slice(2)]?.kind !== 'alone'
    if (takesNext) at++
  }
  return false
}
