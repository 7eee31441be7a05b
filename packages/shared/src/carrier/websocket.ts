import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { EngawaError } from '../errors.ts'
import { readInto } from '../stream/onread.ts'
import { type Endpoint, endpoint } from '../wire/opening.ts'
import type { Carrier } from './carrier.ts'
import { readRecords } from './records.ts'
import {
  applyMask,
  CLOSE,
  frameHeaderBytes,
  KEY_BYTES,
  MAX_FRAME_HEADER_BYTES,
  OPCODE,
  writeFrameHeader,
  ZERO_KEY,
} from './websocket-codec.ts'
import { FrameDecoder } from './websocket-decoder.ts'

export interface WebSocketOptions {
  /** The edge reads masked frames and sends unmasked ones, the agent the other way round. */
  readonly role: 'edge' | 'agent'
  /** What the agent masks with: zeros only inside our own TLS. */
  readonly mask: 'zero' | 'random'
  /** What came behind the upgrade. */
  readonly head: Uint8Array
}

/** Messages up to this go out as one buffer: a copy is cheaper than a vector of small ones. */
const COPY_BYTES = 8 * 1024
/** One carrier reads at most this much in a loop turn, so that it does not starve the others. */
const TURN_BYTES = 512 * 1024
/** So little may count for the next turn, too: whether this one is over need not be asked for each small read. */
const SMALL_TURN_BYTES = 64 * 1024
/** All that an unauthenticated peer may send. promises.md, unauthenticated carriers */
const MAX_UNAUTHENTICATED_BYTES = 64 * 1024
/** How long the peer may take to answer a close frame. */
const CLOSE_WAIT_MS = 2_000

/** What one read of a carrier brings at most: a TLS record, or much without TLS. */
const READ_BYTES = 256 * 1024
/** All carriers read into this one, one after the other: nothing of it is kept. */
let common: Uint8Array | undefined

const nothing = (): void => undefined

/**
 * A socket that `ws` has upgraded, framed by our own codec.
 *
 * It begins with text messages (the handshake, `readText` and `sendText`); setting `onBytes` turns it into a carrier.
 * It reads only while somebody waits for a text or takes bytes, so nothing is lost between the two.
 */
export class WebSocketCarrier implements Carrier {
  readonly remote: Endpoint
  readonly local: Endpoint
  onDrained: () => void = nothing
  readonly #socket: Socket
  readonly #options: WebSocketOptions
  readonly #decoder: FrameDecoder
  #phase: 'handshake' | 'frames' | 'closing' | 'closed' = 'handshake'
  #onBytes: (bytes: Uint8Array) => void = nothing
  #onClosed: ((error?: Error) => void) | undefined
  #error: Error | undefined
  #reader: { resolve: (text: string) => void; reject: (error: Error) => void } | undefined
  #texts: string[] = []
  #held: Uint8Array[] = []
  #handshakeBytes = 0
  #turnBytes = 0
  #ping: Uint8Array | undefined
  #closeTimer: NodeJS.Timeout | undefined

  constructor(socket: Socket, options: WebSocketOptions) {
    this.#socket = socket
    this.#options = options
    this.remote = endpoint(socket.remoteAddress, socket.remotePort)
    this.local = endpoint(socket.localAddress, socket.localPort)
    this.#decoder = new FrameDecoder(options.role === 'edge', {
      binary: (bytes) => this.#takeBytes(bytes),
      text: (text) => this.#takeText(text),
      ping: (payload) => this.#answerPing(payload),
      close: (code) => this.#answerClose(code),
      violation: (closeCode, why) => this.#violate(closeCode, why),
    })
    socket.setTimeout(0)
    socket.setNoDelay(true)
    socket.pause()
    if (options.head.length > 0) socket.unshift(options.head)
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('end', () => this.#socket.destroy())
    socket.on('error', (error) => {
      this.#error ??= error
    })
    socket.on('drain', () => this.#drained())
    socket.on('close', () => this.#closed())
    socket.pause()
  }

  get backlogBytes(): number {
    return this.#socket.writableLength
  }

  get onBytes(): (bytes: Uint8Array) => void {
    return this.#onBytes
  }

  set onBytes(take: (bytes: Uint8Array) => void) {
    this.#onBytes = take
    if (this.#phase !== 'handshake') return
    this.#phase = 'frames'
    const held = this.#held
    this.#held = []
    for (const bytes of held) take(bytes)
    const socket = this.#socket
    // What it holds comes first, as 'data'.
    while (socket.read() !== null);
    if (!(socket instanceof TLSSocket && readRecords(socket, (bytes) => this.#read(bytes)))) {
      common ??= new Uint8Array(READ_BYTES)
      readInto(socket, common, (count, buffer) => {
        this.#read(buffer.subarray(0, count))
        return undefined
      })
    }
    this.#resume()
  }

  get onClosed(): (error?: Error) => void {
    return this.#onClosed ?? nothing
  }

  set onClosed(tell: (error?: Error) => void) {
    this.#onClosed = tell
    if (this.#phase === 'closed') queueMicrotask(() => tell(this.#error))
  }

  /** The next text message. Rejects with CARRIER_LOST or PROTOCOL_VIOLATION when the carrier ends first. */
  readText(): Promise<string> {
    const text = this.#texts.shift()
    if (text !== undefined) return Promise.resolve(text)
    if (this.#phase !== 'handshake') return Promise.reject(this.#endError())
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      this.#resume()
    })
  }

  sendText(text: string): void {
    if (this.#phase === 'handshake') this.#write(OPCODE.text, [Buffer.from(text)])
  }

  send(buffers: readonly Uint8Array[], headroom = 0, isPiece = false): void {
    if (this.#phase === 'frames') this.#write(OPCODE.binary, buffers, headroom, isPiece ? this.#written : undefined)
  }

  close(): void {
    this.#close(CLOSE.normal)
  }

  destroy(): void {
    this.#socket.destroy()
  }

  #close(code: number): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    this.#write(OPCODE.close, [Uint8Array.of(code >> 8, code & 0xff)])
    this.#phase = 'closing'
    this.#closeTimer = setTimeout(() => this.#socket.destroy(), CLOSE_WAIT_MS)
    this.#failReader()
    this.#socket.resume()
  }

  #resume(): void {
    const wanted = this.#reader !== undefined || this.#phase === 'frames' || this.#phase === 'closing'
    if (wanted && this.#turnBytes < TURN_BYTES) this.#socket.resume()
  }

  #read(chunk: Uint8Array): void {
    if (this.#phase === 'handshake') {
      this.#handshakeBytes += chunk.length
      if (this.#handshakeBytes > MAX_UNAUTHENTICATED_BYTES) {
        this.#violate(CLOSE.tooBig, 'more than a handshake')
        return
      }
    }
    const before = this.#turnBytes
    this.#turnBytes += chunk.length
    if (before < SMALL_TURN_BYTES && this.#turnBytes >= SMALL_TURN_BYTES) setImmediate(() => this.#beginTurn())
    if (this.#turnBytes >= TURN_BYTES) this.#socket.pause()
    this.#decoder.push(chunk)
    if (this.#phase === 'handshake' && this.#reader === undefined) this.#socket.pause()
  }

  #beginTurn(): void {
    this.#turnBytes = 0
    this.#resume()
  }

  #takeBytes(bytes: Uint8Array): void {
    if (this.#phase === 'frames') this.#onBytes(bytes)
    else if (this.#phase !== 'handshake') return
    else if (this.#reader !== undefined) this.#violate(CLOSE.unsupported, 'a binary message in the handshake')
    else this.#held.push(bytes)
  }

  #takeText(text: string): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    const reader = this.#reader
    if (this.#phase === 'frames' || this.#held.length > 0 || this.#texts.length > 0) {
      this.#violate(CLOSE.unsupported, 'a text message behind the handshake')
    } else if (reader === undefined) this.#texts.push(text)
    else {
      this.#reader = undefined
      reader.resolve(text)
    }
  }

  /** A peer that pings while it does not read gets the newest answered, not a queue. RFC 6455 §5.5.3 */
  #answerPing(payload: Uint8Array): void {
    if (this.#phase === 'closing' || this.#phase === 'closed') return
    if (this.#socket.writableNeedDrain) this.#ping = payload
    else this.#write(OPCODE.pong, [payload])
  }

  #answerClose(code: number | undefined): void {
    if (this.#phase !== 'closing') this.#close(code ?? CLOSE.normal)
    this.#socket.end()
  }

  #violate(closeCode: number, why: string): void {
    this.#error ??= new EngawaError('PROTOCOL_VIOLATION', why)
    this.#decoder.stop()
    this.#close(closeCode)
    this.#socket.end()
    this.#socket.resume()
    this.#tellClosed()
  }

  #drained(): void {
    const ping = this.#ping
    this.#ping = undefined
    if (ping !== undefined) this.#answerPing(ping)
    if (this.#phase === 'frames') this.onDrained()
  }

  #closed(): void {
    clearTimeout(this.#closeTimer)
    this.#decoder.stop()
    this.#tellClosed()
  }

  #tellClosed(): void {
    if (this.#phase === 'closed') return
    this.#phase = 'closed'
    this.#failReader()
    this.#onClosed?.(this.#error)
  }

  #failReader(): void {
    const reader = this.#reader
    this.#reader = undefined
    reader?.reject(this.#endError())
  }

  #endError(): Error {
    if (this.#error instanceof EngawaError) return this.#error
    return new EngawaError('CARRIER_LOST', 'the carrier closed in its handshake', { cause: this.#error })
  }

  readonly #written = (): void => {
    if (this.#phase === 'frames') this.onDrained()
  }

  #write(opcode: number, buffers: readonly Uint8Array[], headroom = 0, written?: () => void): void {
    if (!this.#socket.writable) return
    const first = buffers[0]
    let total = 0
    for (const { length } of buffers) total += length
    const key =
      this.#options.role === 'edge' ? undefined : this.#options.mask === 'zero' ? ZERO_KEY : randomBytes(KEY_BYTES)
    const mask = key === undefined || key === ZERO_KEY ? undefined : key
    const isOne = first?.length === total && headroom >= MAX_FRAME_HEADER_BYTES && mask === undefined
    if (isOne) this.#socket.write(inFront(opcode, first, key), written)
    else if (total <= COPY_BYTES || mask !== undefined)
      this.#socket.write(whole(opcode, buffers, total, key, mask), written)
    else {
      const header = Buffer.allocUnsafe(MAX_FRAME_HEADER_BYTES)
      const length = writeFrameHeader(header, opcode, total, key)
      this.#socket.cork()
      this.#socket.write(header.subarray(0, length))
      buffers.forEach((buffer, at) => this.#socket.write(buffer, at === buffers.length - 1 ? written : undefined))
      this.#socket.uncork()
    }
  }
}

/** Header and payload in one buffer, masked there: what the caller gave is never changed. */
function whole(
  opcode: number,
  buffers: readonly Uint8Array[],
  total: number,
  key: Uint8Array | undefined,
  mask: Uint8Array | undefined,
): Buffer {
  const frame = Buffer.allocUnsafe(MAX_FRAME_HEADER_BYTES + total)
  const start = writeFrameHeader(frame, opcode, total, key)
  let at = start
  for (const buffer of buffers) {
    frame.set(buffer, at)
    at += buffer.length
  }
  if (mask !== undefined) applyMask(frame.subarray(start, at), mask, 0)
  return frame.subarray(0, at)
}

/** The header before the payload, in the same memory: TLS would copy a vector of the two together first. */
function inFront(opcode: number, payload: Uint8Array, key: Uint8Array | undefined): Buffer {
  const length = frameHeaderBytes(payload.length, key)
  const frame = Buffer.from(payload.buffer, payload.byteOffset - length, length + payload.length)
  writeFrameHeader(frame, opcode, payload.length, key)
  return frame
}
