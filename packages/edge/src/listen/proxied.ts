import type { Socket } from 'node:net'
import { breakOff } from '@engawa/shared/stream/splice'
import { type Endpoint, endpoint } from '@engawa/shared/wire/opening'
import type { Admission, Ends } from '../admit.ts'
import { isTrusted } from '../guard/door.ts'

/** `none`: these bytes are something else; `own`: the proxy's own connection (LOCAL, UNKNOWN), a check of health mostly. */
export type ProxyHeader = { readonly proxied: Ends | 'own'; readonly bytes: number } | 'more' | 'none' | 'invalid'

const V1 = Buffer.from('PROXY ')
const V1_MOST_BYTES = 107
const V1_LINE = /^PROXY (?:UNKNOWN(?: .*)?|TCP[46] (\S+) (\S+) (\d{1,5}) (\d{1,5}))\r\n$/
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
/** With room for what proxies add: names, certificates. */
const V2_MOST_BYTES = 4096

/**
 * Reads the header of the PROXY protocol, version 1 or 2, at the start of `bytes`.
 * Spec: haproxy.org, proxy-protocol.txt, §2.1 and §2.2.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, V1)) return bytes.length < V1.length ? 'more' : readLine(bytes)
  if (startsLike(bytes, V2)) return bytes.length < 16 ? 'more' : readBinary(bytes)
  return 'none'
}

/** As far as both go. */
function startsLike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length)
  return bytes.subarray(0, length).equals(signature.subarray(0, length))
}

function readLine(bytes: Buffer): ProxyHeader {
  const end = bytes.subarray(0, V1_MOST_BYTES).indexOf('\r\n')
  if (end < 0) return bytes.length < V1_MOST_BYTES ? 'more' : 'invalid'
  const match = V1_LINE.exec(bytes.toString('latin1', 0, end + 2))
  if (match === null) return 'invalid'
  const [, from, to, fromPort, toPort] = match
  if (from === undefined) return { proxied: 'own', bytes: end + 2 }
  return pair(endpoint(from, Number(fromPort)), endpoint(to, Number(toPort)), end + 2)
}

/*
 *  ┌─────────────────┬─────────────────┬───────────────────┬──────────────┬───────────
 *  │ signature (12)  │ version│command │ family│transport  │ length (u16) │ addresses …      big endian
 *  └─────────────────┴─────────────────┴───────────────────┴──────────────┴───────────
 */
function readBinary(bytes: Buffer): ProxyHeader {
  const command = bytes[12] ?? 0
  const length = bytes.readUInt16BE(14)
  const whole = 16 + length
  if (command >> 4 !== 2 || (command & 15) > 1 || whole > V2_MOST_BYTES) return 'invalid'
  if (bytes.length < whole) return 'more'
  const family = (bytes[13] ?? 0) >> 4
  if ((command & 15) === 0 || family === 0 || family === 3) return { proxied: 'own', bytes: whole }
  const size = family === 1 ? 4 : 16
  if (family > 2 || length < 2 * size + 4) return 'invalid'
  const address = (at: number): string =>
    size === 4
      ? bytes.subarray(at, at + 4).join('.')
      : Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + 2 * index).toString(16)).join(':')
  const ports = 16 + 2 * size
  const from = endpoint(address(16), bytes.readUInt16BE(ports))
  return pair(from, endpoint(address(16 + size), bytes.readUInt16BE(ports + 2)), whole)
}

function pair(peer: Endpoint, local: Endpoint, bytes: number): ProxyHeader {
  if (peer.family === 0 || local.family === 0 || peer.port > 65_535 || local.port > 65_535) return 'invalid'
  return { proxied: { peer, local }, bytes }
}

/**
 * Calls back with whom a trusted proxy speaks for, if it says so by the PROXY protocol; at once for everybody else.
 * Then nothing flows, and the socket is as if the header had never been there. A header that is none, or does not come
 * whole within `deadlineMs`, ends the socket.
 */
export function unwrap(
  socket: Socket,
  { admission, deadlineMs, protocol }: { admission: Admission; deadlineMs: number; protocol: 'http' | 'tls' },
  opened: (from: Ends | undefined) => void,
): void {
  if (!isTrusted(admission.trusted, socket.remoteAddress)) return opened(undefined)
  let bytes = Buffer.alloc(0)
  const timer = setTimeout(() => breakOff(socket), deadlineMs)
  const failed = (): void => void socket.destroy()
  const closed = (): void => leave()
  const read = (chunk: Buffer): void => {
    bytes = Buffer.concat([bytes, chunk])
    const header = readProxyHeader(bytes)
    if (header === 'more') return
    leave()
    socket.pause()
    if (header === 'invalid') {
      admission.refused(protocol, 'REQUEST_INVALID')
      return breakOff(socket)
    }
    const rest = header === 'none' ? bytes : bytes.subarray(header.bytes)
    if (rest.length > 0) socket.unshift(rest)
    opened(header === 'none' || header.proxied === 'own' ? undefined : header.proxied)
  }
  const leave = (): void => {
    clearTimeout(timer)
    socket.off('data', read)
    socket.off('end', failed)
    socket.off('error', failed)
    socket.off('close', closed)
  }
  socket.on('data', read)
  socket.on('end', failed)
  socket.on('error', failed)
  socket.on('close', closed)
}
