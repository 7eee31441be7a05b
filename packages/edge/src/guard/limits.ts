import type { EdgeLimits } from '../limits.ts'

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
