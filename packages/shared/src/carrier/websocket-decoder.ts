import { MAX_HANDSHAKE_BYTES } from '../wire/limits.ts'
import {
  applyMask,
  CLOSE,
  isCloseCode,
  KEY_BYTES,
  MAX_CONTROL_BYTES,
  MAX_FRAME_HEADER_BYTES,
  OPCODE,
} from './websocket-codec.ts'

/** What the decoder tells, in order. */
export interface FrameSink {
  /** The next bytes of a binary message, as they arrived: views of what was pushed. */
  binary(bytes: Uint8Array): void
  /** A whole text message. */
  text(text: string): void
  ping(payload: Uint8Array): void
  /** `code` is undefined where the peer gave none. */
  close(code: number | undefined): void
  /** The peer broke RFC 6455 or a limit. Nothing follows. */
  violation(closeCode: number, why: string): void
}

type Message = 'none' | 'binary' | 'text'

/**
 * RFC 6455 frames from chunks of any size, never throwing.
 *
 * Cut-through: payload of binary messages is handed on as it comes, whatever length the header claims, so a frame
 * costs no memory here. Text and control frames are collected; both have a bound. Unmasks in place.
 */
export class FrameDecoder {
  readonly #sink: FrameSink
  readonly #masked: boolean
  readonly #header = new Uint8Array(MAX_FRAME_HEADER_BYTES)
  #have = 0
  #need = 2
  #opcode: number = OPCODE.continuation
  #final = false
  #inPayload = false
  #left = 0
  #phase = 0
  #key: Uint8Array | undefined
  #message: Message = 'none'
  #collected: Uint8Array[] = []
  #collectedBytes = 0
  #control: Uint8Array = new Uint8Array(0)
  #ended = false

  /** `masked`: whether the peer has to mask, that is, whether it is the agent. RFC 6455 §5.1 */
  constructor(masked: boolean, sink: FrameSink) {
    this.#masked = masked
    this.#sink = sink
  }

  push(chunk: Uint8Array): void {
    let at = 0
    while (at < chunk.length && !this.#ended) {
      if (!this.#inPayload) at = this.#readHeader(chunk, at)
      else {
        const slice = chunk.subarray(at, at + Math.min(this.#left, chunk.length - at))
        at += slice.length
        this.#takePayload(slice)
      }
    }
  }

  /** Ignores everything from here on. */
  stop(): void {
    this.#ended = true
  }

  #violate(closeCode: number, why: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#sink.violation(closeCode, why)
  }

  #readHeader(chunk: Uint8Array, from: number): number {
    let at = from
    while (at < chunk.length) {
      this.#header[this.#have++] = chunk[at++] ?? 0
      if (this.#have === 2) {
        const wrong = this.#readStart()
        if (wrong !== undefined) {
          this.#violate(CLOSE.protocolError, wrong)
          return at
        }
      }
      if (this.#have >= 2 && this.#have === this.#need) {
        this.#begin()
        return at
      }
    }
    return at
  }

  /** The first two bytes; says what is wrong with them. */
  #readStart(): string | undefined {
    const first = this.#header[0] ?? 0
    const second = this.#header[1] ?? 0
    const length = second & 0x7f
    const masked = (second & 0x80) !== 0
    this.#final = (first & 0x80) !== 0
    this.#opcode = first & 0x0f
    this.#need = 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (masked ? KEY_BYTES : 0)
    if ((first & 0x70) !== 0) return 'reserved bits are set'
    if (masked !== this.#masked) return masked ? 'a masked frame from an edge' : 'an unmasked frame from an agent'
    switch (this.#opcode) {
      case OPCODE.continuation:
        return this.#message === 'none' ? 'a continuation of nothing' : undefined
      case OPCODE.text:
      case OPCODE.binary:
        return this.#message === 'none' ? undefined : 'a message inside a fragmented message'
      case OPCODE.close:
      case OPCODE.ping:
      case OPCODE.pong:
        if (!this.#final) return 'a fragmented control frame'
        return length > MAX_CONTROL_BYTES ? 'a control frame above 125 bytes' : undefined
      default:
        return 'an unknown opcode'
    }
  }

  /** The header is whole. */
  #begin(): void {
    this.#have = 0
    const length = this.#readLength()
    if (length === undefined) {
      this.#violate(CLOSE.protocolError, 'a length in a wrong form')
      return
    }
    this.#key = this.#masked ? this.#readKey() : undefined
    this.#phase = 0
    this.#left = length
    if (this.#opcode === OPCODE.text) this.#message = 'text'
    if (this.#opcode === OPCODE.binary) this.#message = 'binary'
    if (this.#opcode >= OPCODE.close) this.#control = new Uint8Array(length)
    else if (this.#message === 'text' && this.#collectedBytes + length > MAX_HANDSHAKE_BYTES) {
      this.#violate(CLOSE.tooBig, 'a text message above its limit')
      return
    }
    this.#inPayload = length > 0
    if (length === 0) this.#finishFrame()
  }

  /** undefined: of zeros, which changes nothing. */
  #readKey(): Uint8Array | undefined {
    for (let at = this.#need - KEY_BYTES; at < this.#need; at++) {
      if (this.#header[at] !== 0) return this.#header.slice(this.#need - KEY_BYTES, this.#need)
    }
    return undefined
  }

  /** undefined: not in the shortest form (RFC 6455 §5.2 MUST), or above 2^53 − 1. */
  #readLength(): number | undefined {
    const short = (this.#header[1] ?? 0) & 0x7f
    if (short < 126) return short
    const bytes = this.#header.subarray(2, short === 126 ? 4 : 10)
    const length = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
    const least = short === 126 ? 126 : 65_536
    return length >= least && Number.isSafeInteger(length) ? length : undefined
  }

  #takePayload(slice: Uint8Array): void {
    if (this.#key !== undefined) applyMask(slice, this.#key, this.#phase)
    const position = this.#phase
    this.#phase += slice.length
    this.#left -= slice.length
    if (this.#opcode >= OPCODE.close) this.#control.set(slice, position)
    else if (this.#message === 'binary') this.#sink.binary(slice)
    else {
      this.#collected.push(new Uint8Array(slice))
      this.#collectedBytes += slice.length
    }
    if (this.#left === 0 && !this.#ended) {
      this.#inPayload = false
      this.#finishFrame()
    }
  }

  #finishFrame(): void {
    if (this.#opcode === OPCODE.close) this.#finishClose()
    else if (this.#opcode === OPCODE.ping) this.#sink.ping(this.#control)
    else if (this.#opcode !== OPCODE.pong && this.#final) this.#finishMessage()
  }

  #finishMessage(): void {
    const message = this.#message
    this.#message = 'none'
    if (message !== 'text') return
    const bytes = Buffer.concat(this.#collected)
    this.#collected = []
    this.#collectedBytes = 0
    const text = utf8(bytes)
    if (text === undefined) this.#violate(CLOSE.invalidText, 'text that is no UTF-8')
    else this.#sink.text(text)
  }

  #finishClose(): void {
    const payload = this.#control
    const code = payload.length < 2 ? undefined : ((payload[0] ?? 0) << 8) | (payload[1] ?? 0)
    if (payload.length === 1 || (code !== undefined && !isCloseCode(code))) {
      this.#violate(CLOSE.protocolError, 'a close frame in a wrong form')
      return
    }
    if (utf8(payload.subarray(2)) === undefined) {
      this.#violate(CLOSE.invalidText, 'a close reason that is no UTF-8')
      return
    }
    this.#ended = true
    this.#sink.close(code)
  }
}

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}
