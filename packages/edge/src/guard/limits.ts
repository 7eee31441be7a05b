import type { EdgeLimits } from '../limits.ts'
import type { Rates } from './bucket.ts'

/** What visitors may take: the part of the edge's limits that the way of a visitor obeys. */
export type VisitorLimits = Pick<
  EdgeLimits,
  | 'connections'
  | 'perAddress'
  | 'unpeekedSockets'
  | 'handshakeMs'
  | 'requestHeadMs'
  | 'requestHeadBytes'
  | 'requestFields'
  | 'requestTargetBytes'
  | 'keepAliveIdleMs'
  | 'http2IdleMs'
  | 'http2Streams'
  | 'http2RequestsPerAddress'
  | 'http2ResetsPerSecond'
  | 'http2ResetBurst'
  | 'bodyBytesPerSecond'
  | 'bodyGraceMs'
  | 'responseHeadMs'
  | 'responseHeadBytes'
  | 'interimResponses'
  | 'udp'
  | 'memoryBusyPercent'
  | 'memoryFullPercent'
>

/** How fast newcomers of one address may come, as the limits say at the time. */
export function newcomers({ perAddress }: Pick<VisitorLimits, 'perAddress'>): Rates {
  return {
    get perSecond() {
      return perAddress.newPerSecond
    },
    get burst() {
      return perAddress.burst
    },
  }
}
