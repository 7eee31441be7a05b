import { readFileSync } from 'node:fs'

/** A process and all below it: an edge is a front and what it has started. */
export function familyOf(pid: number): number[] {
  const children = readProc(pid, `task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number)
  return [pid, ...children.flatMap(familyOf)]
}

/** Resident memory of a process and those below it, in bytes (VmRSS; 0 once it is gone). */
export function rssOf(pid: number): number {
  return familyOf(pid).reduce((sum, each) => sum + rssOfOne(each), 0)
}

function rssOfOne(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0) * 1024
}

const TICKS_PER_SECOND = 100

/** CPU seconds that a process and those below it have used, in their own code and in the kernel on their behalf. */
export function cpuSecondsOf(pid: number): number {
  return familyOf(pid).reduce((sum, each) => sum + cpuSecondsOfOne(each), 0)
}

function cpuSecondsOfOne(pid: number): number {
  // Fields 14 and 15 of stat, counted after the command's name, which may hold blanks.
  const fields = readProc(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
