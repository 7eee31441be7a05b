import { dirname, normalize } from 'node:path/posix'

/** One import that the layer rule forbids. */
export type Violation = { file: string; line: number; specifier: string; why: string }

type Layer = { within: string; mayUse: readonly string[]; builtins: boolean; packages: boolean }

/** First match wins. `mayUse` names folders of the repository; a layer may always use itself. */
/** No I/O, no clock, no Node types: everything may use them. The same list stands in packages/shared/src/tsconfig.json. */
const PURE: readonly string[] = ['packages/shared/src/errors.ts', 'packages/shared/src/backoff.ts']

const LAYERS: readonly Layer[] = [
  { within: 'packages/shared/src/wire/', mayUse: PURE, builtins: false, packages: false },
  {
    within: 'packages/shared/src/mux/',
    mayUse: [...PURE, 'packages/shared/src/wire/'],
    builtins: false,
    packages: false,
  },
  ...PURE.map((within) => ({ within, mayUse: PURE, builtins: false, packages: false })),
  { within: 'packages/shared/src/', mayUse: ['packages/shared/src/'], builtins: true, packages: true },
  { within: 'packages/shared/', mayUse: ['packages/shared/'], builtins: true, packages: true },
  { within: 'packages/edge/', mayUse: ['packages/edge/', 'packages/shared/src/'], builtins: true, packages: true },
  { within: 'packages/agent/', mayUse: ['packages/agent/', 'packages/shared/src/'], builtins: true, packages: true },
]

/** `a/b/` matches everything under it, `a/b/*` only the files right in it, anything else one file. */
function covers(pattern: string, path: string): boolean {
  if (pattern.endsWith('/*')) return dirname(path) === pattern.slice(0, -2)
  if (pattern.endsWith('/')) return path.startsWith(pattern)
  return path === pattern
}

const IMPORT =
  /(?:^|[;\n}])\s*(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|(?:^|[;\n}])\s*import\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]/g

/** The imports of one source text, with the line on which each specifier stands. */
function imports(source: string): { specifier: string; line: number }[] {
  return [...source.matchAll(IMPORT)].map((match) => ({
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
    line: source.slice(0, match.index + match[0].length).split('\n').length,
  }))
}

const OWN = /^@engawa\/(\w+)(?:\/(.*))?$/

function packageOf(path: string): string | undefined {
  return /^packages\/(\w+)\//.exec(path)?.[1]
}

/** Says which imports of one file break the layer rule. `file` is relative to the repository, with forward slashes. */
export function violations(file: string, source: string): Violation[] {
  const layer = LAYERS.find(({ within }) => covers(within, file))
  if (layer === undefined) return []
  return imports(source).flatMap(({ specifier, line }) => {
    const why = refuse(layer, file, specifier)
    return why === undefined ? [] : [{ file, line, specifier, why }]
  })
}

function refuse(layer: Layer, file: string, specifier: string): string | undefined {
  const own = OWN.exec(specifier)
  const relative = specifier.startsWith('.')
  if (!relative && own === null) {
    if (specifier.startsWith('node:')) return layer.builtins ? undefined : 'this layer does no I/O: no node: import'
    return layer.packages ? undefined : 'this layer uses no package'
  }
  const target = own ? `packages/${own[1]}/src/${own[2] ?? ''}.ts` : normalize(`${dirname(file)}/${specifier}`)
  if (relative && packageOf(target) !== packageOf(file)) return 'a relative import must stay in its package'
  const allowed = [layer.within, ...layer.mayUse].some((pattern) => covers(pattern, target))
  return allowed ? undefined : `${layer.within} may not use ${target}`
}
