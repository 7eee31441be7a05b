import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'
import type { Program } from './parts.ts'

/** What starts first is small; all else is a script of its own, which comes with its compiled code. */
const PARTS: Readonly<Record<Program, { readonly main: string; readonly rest: string }>> = {
  edge: { main: 'packages/edge/src/main.ts', rest: 'packages/edge/src/commands/process.ts' },
  agent: { main: 'packages/agent/src/main.ts', rest: 'packages/agent/src/process.ts' },
}

/** Libraries that are ES modules ask where they lie; nothing is read from there. */
const URL = { name: 'bundleUrl', code: `const bundleUrl = require('node:url').pathToFileURL(__filename).href;` }

export interface Bundle {
  /** What Node is to run. */
  readonly main: string
  /** What `main` loads, from its own folder or out of the executable. */
  readonly script: string
  /** Beside it: what V8 has compiled of it. `compile` makes it. */
  readonly code: string
  /** The files that are in them, relative to the repository. */
  readonly inputs: readonly string[]
}

export interface BundleOptions {
  /** The repository. */
  readonly root: string
  /** Made anew: what an earlier bundle has left there goes. */
  readonly folder: string
  readonly version: string
}

/** A program and its libraries as two CommonJS scripts: without ES modules a start takes half the time. */
export async function bundle(program: Program, { root, folder, version }: BundleOptions): Promise<Bundle> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { main, rest } = PARTS[program]
  const shared: BuildOptions = {
    absWorkingDir: root,
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    conditions: ['engawa-source'],
    minifySyntax: true,
    // Comments go with it. Lines of a length that an editor can show.
    minifyWhitespace: true,
    lineLimit: 160,
    // Licences ask to be kept with what they cover.
    legalComments: 'eof',
    // No keepNames: it would name each closure anew whenever one is made.
    define: { BUNDLED_VERSION: JSON.stringify(version), 'import.meta.url': URL.name },
    banner: { js: URL.code },
    logLevel: 'warning',
  }
  const inner = await build({
    ...shared,
    metafile: true,
    entryPoints: [rest],
    entryNames: `engawa-${program}-[hash]`,
  })
  const script = join(root, Object.keys(inner.metafile.outputs)[0] ?? '')
  demandAscii(script)
  const name = basename(script, '.cjs')
  const outer = await build({
    ...shared,
    metafile: true,
    entryPoints: [main],
    entryNames: `engawa-${program}`,
    banner: {},
    plugins: [loading(resolve(root, rest), name)],
  })
  const inputs = [...Object.keys(inner.metafile.inputs), ...Object.keys(outer.metafile.inputs)]
  return {
    main: join(folder, `engawa-${program}.cjs`),
    script,
    code: join(folder, `${name}.code`),
    inputs: inputs.filter((input) => !input.startsWith('loading:')),
  }
}

/** In place of the module `rest` comes what loads the script that was made of it. */
function loading(rest: string, name: string): Plugin {
  return {
    name: 'loading',
    setup(builder) {
      builder.onResolve({ filter: /\/process\.ts$/ }, ({ importer, path }) =>
        resolve(dirname(importer), path) === rest ? { path: name, namespace: 'loading' } : undefined,
      )
      builder.onLoad({ filter: /.*/, namespace: 'loading' }, () => ({
        contents: `module.exports = require('./load.ts').loadScript(${JSON.stringify(name)})`,
        resolveDir: import.meta.dirname,
      }))
    },
  }
}

/** It is read as one byte a character, which takes half the memory. The licences at its end may name anybody. */
function demandAscii(script: string): void {
  const [code = ''] = readFileSync(script, 'latin1').split('/*! Bundled license information:')
  const at = code.search(/[\x80-\xff]/)
  if (at >= 0) throw new Error(`${script} has a byte that is not ASCII at ${at}`)
}
