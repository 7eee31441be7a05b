import { realpathSync } from 'node:fs'
import { isIP } from 'node:net'
import { basename, dirname, join } from 'node:path'
import type { EngawaError } from '@engawa/shared/errors'
import { defaultFolder } from '@engawa/shared/folder'
import { complaint } from '../complaint.ts'
import type { Wish } from '../wish.ts'
import { Reach } from './reach.ts'

/**
 * Why a wish is not even sent to the edge: a link-local or metadata address without `--reach`, or a control socket of
 * ours, behind which there is no password. Naming it as the target is not enough. contract.md
 */
export function refusalOf({ target, reach }: Wish, folder: string): EngawaError | undefined {
  const { place } = target
  if (place.kind === 'port') {
    const numeric = isIP(place.host.replace(/%.*$/, '')) !== 0
    if (!numeric || new Reach(reach).allows(place.host)) return undefined
    return complaint('REACH_DENIED', (words) => words.targetReach(target.text))
  }
  const own = [
    join(folder, 'agent.sock'),
    join(defaultFolder('agent'), 'agent.sock'),
    join(defaultFolder('edge'), 'admin.sock'),
    '/var/lib/engawa/edge/admin.sock',
    '/var/lib/engawa/agent/agent.sock',
  ]
  if (!own.map(real).includes(real(place.path))) return undefined
  return complaint('REACH_DENIED', (words) => words.targetOwn(target.text))
}

/** Where a path leads, links followed as far as it exists. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return dirname(path) === path ? path : join(real(dirname(path)), basename(path))
  }
}
