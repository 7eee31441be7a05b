import type { Http2Session, Http2Stream } from 'node:http2'

const whole = new WeakSet<Http2Stream>()
const open = new WeakMap<Http2Session, Set<Http2Stream>>()

/**
 * Remembers whether the peer ends its direction: Node emits 'end' just the same when a stream is reset with NO_ERROR
 * or its connection breaks. To be called before anything of the stream is read.
 */
export function watchEnd(stream: Http2Stream): void {
  const push = stream.push.bind(stream)
  stream.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    // END_STREAM is told before the stream closes, all else with it.
    if (chunk === null && !stream.closed && !stream.destroyed) whole.add(stream)
    return push(chunk, encoding)
  }
}

/** Whether the peer has ended a watched stream by END_STREAM. */
export function endedWhole(stream: Http2Stream): boolean {
  return whole.has(stream)
}

/** Resets a stream without ending it before, as Node would: what is cut must never look whole. */
export function resetHttp2(stream: Http2Stream, code: number): void {
  if (!stream.writableEnded) Object.assign(stream, { _final: (done: () => void) => done() })
  stream.close(code)
}

/**
 * Destroys a stream with its session. Node forgets one that its peer is resetting with NO_ERROR just then: it would
 * never close, and what waits for that would wait for ever.
 */
export function endWith(session: Http2Session, stream: Http2Stream): void {
  let streams = open.get(session)
  if (streams === undefined) {
    const held = new Set<Http2Stream>()
    streams = held
    open.set(session, held)
    session.once('close', () => {
      for (const one of held) one.destroy()
    })
  }
  streams.add(stream)
  stream.once('close', () => streams.delete(stream))
}
