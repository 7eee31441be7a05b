import { readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '../..')

interface Project {
  readonly compilerOptions?: { readonly outDir?: string; readonly tsBuildInfoFile?: string }
  readonly references: readonly { readonly path: string }[]
}

function read(path: string): Project {
  const text = readFileSync(join(ROOT, path, 'tsconfig.json'), 'utf8')
  return JSON.parse(text.replaceAll(/^ *\/\/.*$/gm, '')) as Project
}

t.test('who removes what was compiled removes what the compiler remembers of it', async (t) => {
  let emitting = 0
  for (const { path } of read('.').references) {
    const { outDir, tsBuildInfoFile = '.' } = read(path).compilerOptions ?? {}
    if (outDir === undefined) continue
    emitting++
    const dist = join(...path.split('/').slice(0, 2), 'dist')
    const from = (file: string): string => relative(dist, join(path, file))
    t.notMatch(from(outDir), /^\.\./, `${path} emits below ${dist}`)
    t.notMatch(from(dirname(tsBuildInfoFile)), /^\.\./, `${path} remembers below ${dist}`)
  }
  t.ok(emitting > 3, `${emitting} projects emit`)
})
