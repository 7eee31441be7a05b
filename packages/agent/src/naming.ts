import { basename } from 'node:path'
import { nameFrom } from '@engawa/shared/names'
import type { Target } from './target.ts'

/** What naming looks at: the agent's own name, what each target had before (by `Target.text`), and the names in use now. */
export interface NamesHeld {
  readonly agent: string
  readonly kept: ReadonlyMap<string, string>
  readonly inUse: ReadonlySet<string>
}

/** A DNS label, RFC 1035. */
const MAX_LABEL = 63

/** The name of a target that was given none. contract.md, `--name` */
export function defaultName(target: Target, { agent, kept, inUse }: NamesHeld): string {
  const before = kept.get(target.text)
  if (before !== undefined && !inUse.has(before)) return before
  const others = new Set(inUse)
  for (const [text, name] of kept) if (text !== target.text) others.add(name)
  if (target.protocol === 'http' && !others.has(agent)) return agent
  const { place } = target
  const tail = place.kind === 'port' ? String(place.port) : nameFrom(basename(place.path), place.kind)
  const stem = `${agent}-${tail}`.slice(0, MAX_LABEL - 4).replace(/-+$/, '')
  for (let count = 1; ; count++) {
    const name = count === 1 ? stem : `${stem}-${count}`
    if (!others.has(name)) return name
  }
}
