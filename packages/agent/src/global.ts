import { BlockList, isIP } from 'node:net'

/** Addresses that lead to this machine, its LAN, or nowhere that a visitor of the internet could be. IANA's special-purpose registries. */
const INSIDE = new BlockList()
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  INSIDE.addSubnet(net, bits, 'ipv4')
}
/** Of IPv6 only global unicast may be dialled, without what carries an IPv4 address inside (6to4, Teredo). */
const GLOBAL_V6 = new BlockList()
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6')
const CARRIES_V4 = new BlockList()
CARRIES_V4.addSubnet('2002::', 16, 'ipv6')
CARRIES_V4.addSubnet('2001::', 32, 'ipv6')

/** An address that the whole internet has: one that the edge names and nobody at home has typed may be dialled then. */
export function isGlobal(address: string): boolean {
  if (isIP(address) === 4) return !INSIDE.check(address, 'ipv4')
  return isIP(address) === 6 && GLOBAL_V6.check(address, 'ipv6') && !CARRIES_V4.check(address, 'ipv6')
}
