import { encodeOpening, type Opening } from '@engawa/shared/wire/opening'

/** Versions of the PROXY protocol, https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt */
export type ProxyVersion = 'v1' | 'v2'
export const PROXY_VERSIONS: readonly ProxyVersion[] = ['v1', 'v2']

/** §2.2: no other protocol begins like this. */
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const COMMAND_LOCAL = 0x20
const COMMAND_PROXY = 0x21
/** Where an opening has the bytes of its addresses, in the order of the network. protocol.md §7 */
const VISITOR_AT = 9
const PUBLIC_AT = 28

/** What a service is told before the visitor's first byte: who visits, and which address was asked. Unknown ends are said to be so. */
export function proxyHeader(version: ProxyVersion, opening: Opening): Buffer {
  const { visitor, public: asked } = opening
  if (visitor.family === 0 || visitor.family !== asked.family) return ownHeader(version)
  if (version === 'v2') return binary(opening)
  return Buffer.from(
    `PROXY TCP${visitor.family} ${visitor.address} ${asked.address} ${visitor.port} ${asked.port}\r\n`,
    'latin1',
  )
}

/** For a connection of the agent's own, made to see whether the service is there. */
export function ownHeader(version: ProxyVersion): Buffer {
  if (version === 'v1') return Buffer.from('PROXY UNKNOWN\r\n', 'latin1')
  return Buffer.concat([SIGNATURE, Buffer.of(COMMAND_LOCAL, 0, 0, 0)])
}

/*
 *  0           12        13               14      16                    16 + 8 or 32
 *  ┌───────────┬─────────┬────────────────┬────────┬─────────┬───────────┬──────┬──────┐
 *  │ signature │ command │ family · stream│ length │ visitor │ asked     │ port │ port │
 *  └───────────┴─────────┴────────────────┴────────┴─────────┴───────────┴──────┴──────┘   big endian
 */
function binary(opening: Opening): Buffer {
  const { visitor, public: asked, protocol } = opening
  const family = (visitor.family === 4 ? 0x10 : 0x20) | (protocol === 'udp' ? 2 : 1)
  const size = visitor.family === 4 ? 4 : 16
  const wire = encodeOpening(opening)
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(visitor.port, 0)
  ports.writeUInt16BE(asked.port, 2)
  const from = wire.subarray(VISITOR_AT, VISITOR_AT + size)
  const to = wire.subarray(PUBLIC_AT, PUBLIC_AT + size)
  return Buffer.concat([SIGNATURE, Buffer.of(COMMAND_PROXY, family, 0, 2 * size + 4), from, to, ports])
}
