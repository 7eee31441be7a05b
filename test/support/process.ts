import { readFileSync } from 'node:fs'

/** Resident memory of a process, in bytes (VmRSS; 0 once it is gone). */
export function rssOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status'))?.[1] ?? 0) * 1024
}

const TICKS_PER_SECOND = 100

/** CPU seconds that a process has used, in its own code and in the kernel on its behalf. */
export function cpuSecondsOf(pid: number): number {
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
