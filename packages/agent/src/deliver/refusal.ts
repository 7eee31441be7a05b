import { isIP } from 'node:net'
import { basename, dirname } from 'node:path'
import type { Address } from '@engawa/shared/addresses'
import type { EngawaError } from '@engawa/shared/errors'
import { endpoint } from '@engawa/shared/wire/opening'
import { complaint } from '../complaint.ts'
import { REAL_SIGHT } from '../network.ts'
import type { Place } from '../target.ts'
import type { Wish } from '../wish.ts'
import { isWithin } from './folder.ts'
import { isLoopback4 } from './loopback.ts'
import { ownFolders, realPath } from './own.ts'
import { Reach } from './reach.ts'

/** Sockets behind which there is no password. */
const CONTROL: ReadonlySet<string> = new Set(['agent.sock', 'admin.sock'])

/** What is the agent's own. */
export interface Own {
  readonly folder: string
  /** `--admin`, where there is one. */
  readonly admin?: Address | undefined
}

/**
 * Why a wish is not even sent to the edge: a link-local or metadata address or the agent's own `--admin` without
 * `--reach`, or something else of Engawa's own, a control socket or a folder with keys. Naming it as the target is not
 * enough. contract.md
 */
export function refusalOf({ target, reach }: Wish, { folder, admin }: Own): EngawaError | undefined {
  const { place } = target
  if (place.kind === 'port') {
    const reaches = new Reach(reach)
    const host = place.host === 'localhost' ? '127.0.0.1' : place.host
    if (admin !== undefined && isOf(admin, host, place) && !reaches.names(host))
      return complaint('REACH_DENIED', (words) => words.targetAdmin(target.text))
    const numeric = isIP(host.replace(/%.*$/, '')) !== 0
    if (!numeric || reaches.allows(host)) return undefined
    return complaint('REACH_DENIED', (words) => words.targetReach(target.text))
  }
  const real = realPath(place.path)
  const own = ownFolders(folder).some((one) =>
    place.kind === 'folder' ? isWithin(one, real) : dirname(real) === one && CONTROL.has(basename(real)),
  )
  return own ? complaint('REACH_DENIED', (words) => words.targetOwn(target.text)) : undefined
}

/** Whether one of the ports of `place`, at `host`, is where `admin` listens. */
function isOf(admin: Address, host: string, { port, count }: Extract<Place, { kind: 'port' }>): boolean {
  if (admin.port < port || admin.port >= port + count) return false
  const { address } = endpoint(host, 0)
  if (endpoint(admin.host === 'localhost' ? '127.0.0.1' : admin.host, 0).address === address) return true
  const everywhere = ['', '0.0.0.0', '::'].includes(admin.host)
  return everywhere && (isLoopback4(address) || REAL_SIGHT.addresses().includes(address))
}
