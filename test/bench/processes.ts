import { familyOf } from '../support/process.ts'

/** Processes that this one has started, with all that they have. */
export function endTrees(roots: readonly number[]): void {
  for (const pid of roots.flatMap(familyOf)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
}
