import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bundle, bundle } from './bundle.ts'
import { compile } from './compile.ts'
import type { Program } from './parts.ts'

export interface ProgramsOptions {
  /** The repository. */
  readonly root: string
  /** Each program has one of its own, made anew. */
  readonly folders: Readonly<Record<Program, string>>
  readonly version: string
}

/** Both programs, whichever is wanted, with what V8 has compiled of them: for that one needs the other. */
export async function buildPrograms({ root, folders, version }: ProgramsOptions): Promise<Record<Program, Bundle>> {
  const bundles = {
    edge: await bundle('edge', { root, version, folder: folders.edge }),
    agent: await bundle('agent', { root, version, folder: folders.agent }),
  }
  const scratch = mkdtempSync(join(tmpdir(), 'engawa-compile-'))
  try {
    await compile(bundles, scratch)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
  return bundles
}
