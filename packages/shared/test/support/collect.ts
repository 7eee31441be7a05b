import type { FrameSink } from '../../src/wire/frame.ts'
import type { Frame } from './frames.ts'

/** Notes what the real reader hands on. Parts of one DATA frame become one frame again, as the oracle has them. */
export class Collector implements FrameSink {
  readonly frames: Frame[] = []

  open(stream: number, credit: number, opening: Uint8Array): void {
    this.frames.push({ type: 'open', stream, credit, opening: Buffer.from(opening) })
  }

  accept(stream: number): void {
    this.frames.push({ type: 'accept', stream })
  }

  data(stream: number, offset: number, bytes: Uint8Array): void {
    this.frames.push({ type: 'data', stream, offset, bytes: Buffer.from(bytes) })
  }

  end(stream: number, final: number): void {
    this.frames.push({ type: 'end', stream, final })
  }

  reset(stream: number, code: number): void {
    this.frames.push({ type: 'reset', stream, code })
  }

  credit(stream: number, limit: number): void {
    this.frames.push({ type: 'credit', stream, limit })
  }

  ack(received: number): void {
    this.frames.push({ type: 'ack', received })
  }

  datagram(flow: number, flags: number, opening: Uint8Array | undefined, bytes: Uint8Array): void {
    const head = opening === undefined ? [] : [Buffer.from([opening.length & 0xff, opening.length >> 8]), opening]
    this.frames.push({ type: 'datagram', flow, flags, body: Buffer.concat([...head, bytes]) })
  }

  ping(token: number): void {
    this.frames.push({ type: 'ping', token })
  }

  pong(token: number): void {
    this.frames.push({ type: 'pong', token })
  }

  goaway(code: number, reason: string): void {
    this.frames.push({ type: 'goaway', code, reason })
  }

  lost(entries: readonly (readonly [carrier: number, received: number])[]): void {
    this.frames.push({ type: 'lost', entries: entries.map((entry) => [...entry] as const) })
  }
}

/** Parts of one frame joined, so that a cut-through reader can be compared with one that waits for whole frames. */
export function joined(frames: readonly Frame[], lengths: readonly number[]): Frame[] {
  const out: Frame[] = []
  const pending = [...lengths]
  let have: { type: 'data'; stream: number; offset: number; bytes: Buffer } | undefined
  for (const frame of frames) {
    if (frame.type !== 'data') {
      out.push(frame)
      continue
    }
    if (have === undefined) have = { ...frame, bytes: Buffer.from(frame.bytes) }
    else if (frame.stream === have.stream && frame.offset === have.offset + have.bytes.length) {
      have.bytes = Buffer.concat([have.bytes, frame.bytes])
    } else throw new Error(`a part at ${frame.offset} of stream ${frame.stream} does not continue its frame`)
    if (have.bytes.length < (pending[0] ?? 0)) continue
    pending.shift()
    out.push(have)
    have = undefined
  }
  if (have !== undefined) out.push(have)
  return out
}

/** For `joined`: the payload lengths of the DATA frames in `frames`. */
export function dataLengths(frames: readonly Frame[]): number[] {
  return frames.flatMap((frame) => (frame.type === 'data' ? [frame.bytes.length] : []))
}
