import { join } from 'node:path'
import { build } from 'esbuild'
import type { Build, Program } from './parts.ts'

/**
 * CommonJS inside of an ES module asks for Node's own modules by `require`, which a module has to make for itself. A
 * single executable has nothing but those: any other `require` that were left fails there.
 */
const REQUIRE = `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);`

export interface Bundle {
  readonly main: string
  /** The files that are in it, relative to the repository. */
  readonly inputs: readonly string[]
}

/** All of a program and its libraries as one ES module. */
export async function bundle(program: Program, { root, scratch, version }: Build): Promise<Bundle> {
  const main = join(scratch, `${program}.mjs`)
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [`packages/${program}/src/main.ts`],
    outfile: main,
    metafile: true,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    conditions: ['engawa-source'],
    minifySyntax: true,
    // Licences ask to be kept with what they cover.
    legalComments: 'eof',
    // Stack traces in a bug report should name functions as the source does.
    keepNames: true,
    define: { BUNDLED_VERSION: JSON.stringify(version) },
    banner: { js: REQUIRE },
    logLevel: 'warning',
  })
  return { main, inputs: Object.keys(metafile.inputs) }
}
