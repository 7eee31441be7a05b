/** What a ClientHello says that decides who gets the socket. */
export interface ClientHello {
  /** Lower case, without final dot; undefined if none was sent. */
  readonly serverName: string | undefined
  readonly protocols: readonly string[]
}

/** The handshake message; post-quantum key shares make it large. */
const MAX_HELLO_BYTES = 64 * 1024
/** With record headers. A record of one byte costs six. */
const MAX_RAW_BYTES = MAX_HELLO_BYTES + 8 * 1024

const RECORD_HANDSHAKE = 22
const CLIENT_HELLO = 1
const EXTENSION_SERVER_NAME = 0
const EXTENSION_ALPN = 16
const HOST_NAME = /^(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/

/*
 *  TLSPlaintext (RFC 8446 §5.1)            Handshake (§4)
 *  ┌──────┬─────────┬──────────────┬────   ┌──────┬──────────────┬────
 *  │ 22   │ 3, x    │ length (u16) │ …     │ 1    │ length (u24) │ …     all big endian
 *  └──────┴─────────┴──────────────┴────   └──────┴──────────────┴────
 */

/**
 * Reads a ClientHello that may come in any pieces and span records. RFC 8446 §4.1.2, RFC 6066 §3.
 *
 * Each byte is looked at once, so that a hello sent byte by byte costs no more than another.
 */
export class HelloReader {
  /** The record header as far as it is there. */
  readonly #header: number[] = []
  #recordLeft = 0
  readonly #message: Uint8Array[] = []
  #messageBytes = 0
  /** Length of the whole message with its header, once known. */
  #wanted: number | undefined
  #raw = 0

  /** `more` until it is whole; `invalid` when this is no ClientHello that TLS allows. */
  push(bytes: Uint8Array): ClientHello | 'more' | 'invalid' {
    this.#raw += bytes.length
    let at = 0
    while (at < bytes.length) {
      if (this.#recordLeft === 0) {
        this.#header.push(bytes[at++] ?? 0)
        if (!this.#headerFits()) return 'invalid'
        continue
      }
      const part = bytes.subarray(at, at + this.#recordLeft)
      this.#message.push(part)
      this.#messageBytes += part.length
      this.#recordLeft -= part.length
      at += part.length
      const whole = this.#whole()
      if (whole !== 'more') return whole
    }
    return this.#raw > MAX_RAW_BYTES ? 'invalid' : 'more'
  }

  #headerFits(): boolean {
    const [type, major, , high = 0, low] = this.#header
    if (type !== RECORD_HANDSHAKE || (major !== undefined && major !== 3)) return false
    if (low === undefined) return true
    this.#recordLeft = (high << 8) | low
    this.#header.length = 0
    return this.#recordLeft > 0 && this.#recordLeft <= 16_384
  }

  #whole(): ClientHello | 'more' | 'invalid' {
    if (this.#wanted === undefined) {
      const start = joined(this.#message)
      if (start[0] !== CLIENT_HELLO) return 'invalid'
      if (start.length < 4) return 'more'
      this.#wanted = 4 + number(start, 1, 3)
      if (this.#wanted > MAX_HELLO_BYTES) return 'invalid'
    }
    if (this.#messageBytes < this.#wanted) return 'more'
    // What follows in the same flight (early data comes in other records) would be another handshake message: not allowed here.
    return this.#messageBytes > this.#wanted ? 'invalid' : (parseHello(joined(this.#message).subarray(4)) ?? 'invalid')
  }
}

/** The body of a ClientHello. Undefined if it does not hold to its own lengths. */
export function parseHello(body: Uint8Array): ClientHello | undefined {
  // version (2), random (32), session id (u8), cipher suites (u16), compression (u8)
  let at = 34
  for (const width of [1, 2, 1] as const) {
    if (at + width > body.length) return undefined
    at += width + number(body, at, width)
  }
  if (at === body.length) return { serverName: undefined, protocols: [] }
  if (at + 2 > body.length || at + 2 + number(body, at, 2) !== body.length) return undefined
  const seen = new Set<number>()
  let serverName: string | undefined
  let protocols: readonly string[] = []
  for (at += 2; at < body.length; ) {
    if (at + 4 > body.length) return undefined
    const type = number(body, at, 2)
    const length = number(body, at + 2, 2)
    const data = body.subarray(at + 4, at + 4 + length)
    // RFC 8446 §4.2: none twice.
    if (data.length < length || seen.has(type)) return undefined
    seen.add(type)
    at += 4 + length
    if (type === EXTENSION_SERVER_NAME) {
      serverName = parseServerName(data)
      if (serverName === undefined) return undefined
    } else if (type === EXTENSION_ALPN) {
      const names = parseProtocols(data)
      if (names === undefined) return undefined
      protocols = names
    }
  }
  return { serverName, protocols }
}

/** RFC 6066 §3: a list of exactly one host name. */
function parseServerName(data: Uint8Array): string | undefined {
  if (data.length < 5 || number(data, 0, 2) !== data.length - 2 || data[2] !== 0) return undefined
  if (number(data, 3, 2) !== data.length - 5) return undefined
  const name = text(data.subarray(5)).toLowerCase().replace(/\.$/, '')
  return name.length <= 253 && HOST_NAME.test(name) ? name : undefined
}

/** RFC 7301 §3.1 */
function parseProtocols(data: Uint8Array): readonly string[] | undefined {
  if (data.length < 2 || number(data, 0, 2) !== data.length - 2) return undefined
  const names: string[] = []
  for (let at = 2; at < data.length; ) {
    const length = data[at] ?? 0
    if (length === 0 || at + 1 + length > data.length) return undefined
    names.push(text(data.subarray(at + 1, at + 1 + length)))
    at += 1 + length
  }
  return names
}

function number(bytes: Uint8Array, at: number, width: 1 | 2 | 3): number {
  let value = 0
  for (let index = 0; index < width; index++) value = (value << 8) | (bytes[at + index] ?? 0)
  return value
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] ?? new Uint8Array()) : Buffer.concat(parts)
}
