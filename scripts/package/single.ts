import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Bundle } from './bundle.ts'
import type { Architecture, Build, Program } from './parts.ts'

/** One executable of program and Node, at the path it answers. Nothing has to be installed beside it. https://nodejs.org/api/single-executable-applications.html */
export function singleFile(
  program: Program,
  { bundle, runtime, architecture }: { bundle: Bundle; runtime: string; architecture: Architecture },
  { out, scratch }: Build,
): string {
  const output = join(out, `linux-${architecture}`, `engawa-${program}`)
  mkdirSync(dirname(output), { recursive: true })
  const config = join(scratch, `${program}-${architecture}.json`)
  // What V8 compiled here it would throw away on another processor.
  const compiled = architecture === process.arch
  const assets = [bundle.script, ...(compiled ? [bundle.code] : [])]
  const settings = {
    main: bundle.main,
    executable: runtime,
    output,
    disableExperimentalSEAWarning: true,
    useCodeCache: compiled,
    assets: Object.fromEntries(assets.map((file) => [basename(file), file])),
  }
  writeFileSync(config, JSON.stringify(settings))
  execFileSync(process.execPath, ['--build-sea', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  return output
}
