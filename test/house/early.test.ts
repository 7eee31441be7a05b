import { join } from 'node:path'
import { build, type Metafile } from 'esbuild'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../..')
const FRONT = ['packages/edge/src/main.ts', 'packages/edge/src/front/main.ts']
const SERVING = ['packages/edge/src/edge.ts', 'packages/agent/src/agent.ts']
/** Wanted seldom, and megabytes each. */
const LATE = ['fastify', 'prom-client']

/** All that is loaded when this file is: what it imports at once, without what it imports when it is wanted. */
function early(from: string, inputs: Metafile['inputs']): string[] {
  const seen = new Set([from])
  for (const file of seen) {
    for (const { kind, path } of inputs[file]?.imports ?? []) if (kind !== 'dynamic-import') seen.add(path)
  }
  return [...seen]
}

function packages(files: readonly string[]): string[] {
  return [...new Set(files.flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? []))]
}

t.test('a start loads what it needs: docs/decisions/0017', async (t) => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['packages/edge/src/main.ts', 'packages/agent/src/main.ts'],
    bundle: true,
    write: false,
    metafile: true,
    outdir: 'nowhere',
    platform: 'node',
    format: 'esm',
    conditions: ['engawa-source'],
    logLevel: 'error',
  })
  const all = packages(Object.keys(metafile.inputs))
  for (const name of LATE) t.ok(all.includes(name), `${name} is somewhere`)
  for (const file of FRONT) {
    const files = early(file, metafile.inputs)
    t.same(packages(files), [], `${file}: no library`)
    const heavy = files.filter((name) => /^(node:)?(http|https|http2|tls|net|crypto|zlib)$/.test(name))
    t.same(heavy, [], `${file}: no part of Node that takes long`)
  }
  for (const file of SERVING) {
    const files = early(file, metafile.inputs)
    t.ok(files.length > 100, `${files.length} files with ${file}`)
    t.same(
      packages(files).filter((name) => LATE.includes(name)),
      [],
      `${file}: what is asked for later`,
    )
    const forge = files.filter((name) => /node-forge\/lib\/(index|tls|rsa|x509)\.js$/.test(name))
    t.same(forge, [], `${file}: of forge the DER writer alone`)
  }
})
