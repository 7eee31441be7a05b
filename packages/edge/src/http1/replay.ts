import type { Stream } from '@engawa/shared/mux/events'
import { StreamDuplex } from '@engawa/shared/stream/duplex'
import { askByNode } from '../forward/node-client.ts'
import type { Outgoing, UpstreamEvents } from '../forward/upstream.ts'

/** A service connection on which the request is out already: what Node's client writes of its own goes nowhere. */
class AnswerOnly extends StreamDuplex {
  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    done()
  }
  override _writev(_chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    done()
  }
  /** Node is done with it; the request's body may not be. */
  override _final(done: (error?: Error | null) => void): void {
    done()
  }
}

/**
 * Lets Node's parser read an answer that began with `bytes`, as the answer to a request that was sent in another way.
 * The answer ends it, for a visitor that has left.
 */
export function replay(
  bytes: Buffer,
  { stream, outgoing, events }: { stream: Stream; outgoing: Outgoing; events: UpstreamEvents },
): () => void {
  const connection = new AnswerOnly(stream)
  const { handler } = stream
  if (handler !== undefined) stream.handler = { ...handler, drain: () => events.drained() }
  const bare = {
    ...outgoing,
    method: outgoing.method === 'HEAD' ? 'HEAD' : 'GET',
    path: '/',
    fields: ['Host', 'replay'],
    hasBody: false,
  }
  const request = askByNode(bare, connection, {
    ...events,
    broke: (error) => events.broke(error, false),
    drained: () => {},
  })
  request.end()
  // Its parser listens from the next turn of the microtasks on; what was pushed waits there.
  connection.push(bytes)
  connection.once('close', () => {
    if (!stream.closed) stream.reset('CANCELLED')
  })
  return () => request.destroy()
}
