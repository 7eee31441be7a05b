import { isIP } from 'node:net'
import { basename, dirname } from 'node:path'
import type { EngawaError } from '@engawa/shared/errors'
import { complaint } from '../complaint.ts'
import type { Wish } from '../wish.ts'
import { isWithin } from './folder.ts'
import { ownFolders, realPath } from './own.ts'
import { Reach } from './reach.ts'

/** Sockets behind which there is no password. */
const CONTROL: ReadonlySet<string> = new Set(['agent.sock', 'admin.sock'])

/**
 * Why a wish is not even sent to the edge: a link-local or metadata address without `--reach`, or something of Engawa's
 * own, a control socket or a folder with keys. Naming it as the target is not enough. contract.md
 */
export function refusalOf({ target, reach }: Wish, folder: string): EngawaError | undefined {
  const { place } = target
  if (place.kind === 'port') {
    const numeric = isIP(place.host.replace(/%.*$/, '')) !== 0
    if (!numeric || new Reach(reach).allows(place.host)) return undefined
    return complaint('REACH_DENIED', (words) => words.targetReach(target.text))
  }
  const real = realPath(place.path)
  const own = ownFolders(folder).some((one) =>
    place.kind === 'folder' ? isWithin(one, real) : dirname(real) === one && CONTROL.has(basename(real)),
  )
  return own ? complaint('REACH_DENIED', (words) => words.targetOwn(target.text)) : undefined
}
