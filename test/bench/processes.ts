import { readdirSync, readFileSync } from 'node:fs'
import { cpuSecondsOf } from '../support/process.ts'

/** CPU seconds of some processes with all that they have started: nginx and sshd work in children. */
export function cpuSecondsOfTrees(roots: readonly number[]): number {
  return treesOf(roots).reduce((sum, pid) => sum + cpuSecondsOf(pid), 0)
}

export function treesOf(roots: readonly number[]): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const parent = parentOf(name)
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const all: number[] = []
  const walk = (pid: number): void => {
    all.push(pid)
    for (const child of children.get(pid) ?? []) walk(child)
  }
  for (const pid of roots) walk(pid)
  return all
}

function parentOf(pid: string): number | undefined {
  try {
    // Field 4, counted after the command's name, which may hold blanks.
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    )
  } catch {
    return undefined
  }
}
