import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Architecture, Build, Program } from './parts.ts'

/** One executable of program and Node, at the path it answers. Nothing has to be installed beside it. https://nodejs.org/api/single-executable-applications.html */
export function singleFile(
  program: Program,
  { main, runtime, architecture }: { main: string; runtime: string; architecture: Architecture },
  { out, scratch }: Build,
): string {
  const output = join(out, `linux-${architecture}`, `engawa-${program}`)
  mkdirSync(dirname(output), { recursive: true })
  const config = join(scratch, `${program}-${architecture}.json`)
  const settings = {
    main,
    mainFormat: 'module',
    executable: runtime,
    output,
    disableExperimentalSEAWarning: true,
    // What V8 compiled here it would throw away on another processor.
    useCodeCache: architecture === process.arch,
  }
  writeFileSync(config, JSON.stringify(settings))
  execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  return output
}
