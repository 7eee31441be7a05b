import { readFileSync } from 'node:fs'

/** Put in by the bundler: a single executable has no package.json beside it. */
declare const BUNDLED_VERSION: string | undefined

/** The version of this package, as its package.json states it. */
export function version(): string {
  if (typeof BUNDLED_VERSION === 'string') return BUNDLED_VERSION
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
