import { join } from 'node:path'
import { familyOf } from './process.ts'
import type { Program } from './program.ts'

/** Flags of Node for edge and agent: they answer `countsOf`. */
export const COUNTING: readonly string[] = ['--expose-gc', '--import', join(import.meta.dirname, 'counts.ts')]

/** What a program holds, right after a full collection. */
export interface Counts {
  readonly heap: number
  readonly held: number
  readonly sockets: number
  readonly timers: number
  readonly streams: number
  readonly buffered: number
}

/** Of an edge, what its newest generation holds: its front has no streams. */
export async function countsOf(program: Program): Promise<Counts> {
  const after = program.mark
  process.kill(familyOf(program.pid).at(-1) ?? program.pid, 'SIGUSR2')
  return (await program.until('counts', { after })) as unknown as Counts
}
