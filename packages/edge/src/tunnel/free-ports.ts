import { EngawaError } from '@engawa/shared/errors'
import type { Lease } from '../store/leases.ts'
import type { KnownPorts } from './claims.ts'
import type { Probe } from './probe.ts'
import { transportOf } from './routes.ts'

/** How many freely chosen ports are tried when other programs have them. */
const MOST_TRIES = 20

export interface FreePorts {
  /** The same question each time, for what is known by then. */
  readonly claim: (known: KnownPorts) => Lease
  /** This edge listens on the lease's ports already. */
  readonly isOpen: (lease: Lease) => boolean
  readonly probe: Probe
  /** Where tunnel ports listen. */
  readonly host: string
  /** These ports or none. */
  readonly exact: boolean
}

/** A lease whose ports no other program of the edge's machine has. Throws what `claim` throws; PORT_UNAVAILABLE. */
export async function claimFree({ claim, isOpen, probe, host, exact }: FreePorts): Promise<Lease> {
  const busy: number[] = []
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const lease = claim({ busy })
    const { ports } = lease
    if (ports === undefined || isOpen(lease)) return lease
    // oxlint-disable-next-line no-await-in-loop -- the next try depends on it
    const stolen = await probe(transportOf(lease), host, ports)
    // Others may have been quicker while these ports were tried: the same question again, for just what came of it.
    if (stolen === undefined) return claim({ tried: ports })
    if (exact) throw new EngawaError('PORT_UNAVAILABLE', `another program on the edge’s machine has port ${stolen}`)
    busy.push(stolen)
  }
  throw new EngawaError('PORT_UNAVAILABLE', 'other programs on the edge’s machine have every port that was tried')
}
