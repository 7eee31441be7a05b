import { type ClientHttp2Stream, constants } from 'node:http2'
import type { Duplex } from 'node:stream'
import { EngawaError } from '@engawa/shared/errors'
import { StreamDuplex } from '@engawa/shared/stream/duplex'
import { endedWhole, resetHttp2 } from './http2-end.ts'

/** One side of a relay. */
export interface RelayEnd {
  readonly duplex: Duplex
  /** Whether its 'end' was meant so, and is no cut that looks like one. */
  readonly whole: () => boolean
  /** So that the other end of it sees a cut, and no end. */
  readonly cut: () => void
  readonly onBytes: (count: number) => void
}

/**
 * Copies between two Duplexes, both ways, until both directions have ended or one side breaks, which cuts the other.
 * For switched requests where HTTP/2 is on either side; everything else is spliced.
 */
export function relay(one: RelayEnd, other: RelayEnd): void {
  copy(one, other)
  copy(other, one)
  for (const [here, there] of [
    [one, other],
    [other, one],
  ] as const) {
    here.duplex.on('error', () => here.duplex.destroy())
    here.duplex.once('close', () => {
      if (!(here.whole() && here.duplex.writableFinished) && !there.duplex.destroyed) there.cut()
    })
  }
}

function copy(from: RelayEnd, to: RelayEnd): void {
  from.duplex.on('data', (chunk: Buffer) => {
    if (to.duplex.destroyed || to.duplex.writableEnded) return
    from.onBytes(chunk.length)
    if (!to.duplex.write(chunk)) from.duplex.pause()
  })
  to.duplex.on('drain', () => from.duplex.resume())
  from.duplex.once('end', () => {
    if (from.whole()) to.duplex.end()
  })
  from.duplex.resume()
}

/** The side of a service, over either HTTP. A reset of TCP is CANCEL over HTTP/2. RFC 8441 §5 */
export function serviceEnd(service: Duplex): Omit<RelayEnd, 'onBytes'> {
  if (service instanceof StreamDuplex)
    return {
      duplex: service,
      whole: () => service.readableEnded,
      cut: () => void service.destroy(new EngawaError('CANCELLED')),
    }
  const stream = service as ClientHttp2Stream
  return {
    duplex: stream,
    whole: () => endedWhole(stream),
    cut: () => resetHttp2(stream, constants.NGHTTP2_CANCEL),
  }
}
