import { BlockList, isIP, isIPv4 } from 'node:net'

/**
 * Addresses that no target leads to by a name or a number alone: link-local ones, and those at which clouds hand out
 * credentials to whoever asks from the machine. A compromised edge must gain nothing by them. promises.md, "a hacked edge"
 */
const DENIED: readonly (readonly [net: string, bits: number])[] = [
  ['169.254.0.0', 16],
  ['fe80::', 10],
  // AWS over IPv6, Alibaba, Oracle, Azure's wire server
  ['fd00:ec2::254', 128],
  ['100.100.100.200', 32],
  ['192.0.0.192', 32],
  ['168.63.129.16', 32],
  // No service answers at these: multicast and broadcast
  ['224.0.0.0', 4],
  ['ff00::', 8],
  ['255.255.255.255', 32],
]

/** Says for each address that a name resolved to whether the agent may connect to it. */
export class Reach {
  readonly #denied: BlockList = new BlockList()
  readonly #allowed: BlockList = new BlockList()

  /** `allow` are the CIDRs of `--reach`, already valid. */
  constructor(allow: readonly string[] = []) {
    for (const [net, bits] of DENIED) this.#denied.addSubnet(net, bits, isIPv4(net) ? 'ipv4' : 'ipv6')
    for (const cidr of allow) {
      const [net = '', bits = ''] = cidr.split('/')
      this.#allowed.addSubnet(net, Number(bits), isIPv4(net) ? 'ipv4' : 'ipv6')
    }
  }

  /** `address` is an IP address, with or without a zone; an IPv4-mapped one counts as IPv4. Anything else is refused. */
  allows(address: string): boolean {
    const bare = plain(address)
    const version = isIP(bare)
    if (version === 0) return false
    const family = version === 4 ? 'ipv4' : 'ipv6'
    return !this.#denied.check(bare, family) || this.#allowed.check(bare, family)
  }
}

function plain(address: string): string {
  const bare = address.replace(/%.*$/, '')
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1]
  if (mapped !== undefined) return mapped
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(bare)
  if (hex === null) return bare
  const [high, low] = [Number.parseInt(hex[1] ?? '', 16), Number.parseInt(hex[2] ?? '', 16)]
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`
}
