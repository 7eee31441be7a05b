import { Networks } from '@engawa/shared/networks'
import { endpoint } from '@engawa/shared/wire/opening'

/**
 * Addresses that no target leads to by a name or a number alone: link-local ones, and those at which clouds hand out
 * credentials to whoever asks from the machine. A compromised edge must gain nothing by them. promises.md, "a hacked edge"
 */
const DENIED_NETWORKS = new Networks([
  '169.254.0.0/16',
  'fe80::/10',
  // AWS over IPv6, Alibaba, Oracle, Azure's wire server
  'fd00:ec2::254/128',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  // Translated by rules of the network's own (RFC 8215): where they lead cannot be told.
  '64:ff9b:1::/48',
  // "This network": to Linux it is this machine, by another name than people wrote
  '0.0.0.0/8',
  '::/128',
  // No service answers at these: multicast and broadcast
  '224.0.0.0/4',
  'ff00::/8',
  '255.255.255.255/32',
])

/** Says for each address that a name resolved to whether the agent may connect to it. */
export class Reach {
  readonly #denied: Networks = DENIED_NETWORKS
  readonly #allowed: Networks

  /** `allow` are the CIDRs of `--reach`, already valid. */
  constructor(allow: readonly string[] = []) {
    this.#allowed = new Networks(allow)
  }

  /** Whether `--reach` names it. */
  names(address: string): boolean {
    const { family, address: bare } = endpoint(address, 0)
    return family !== 0 && this.#allowed.has(bare)
  }

  /** `address` is an IP address, with or without a zone; an IPv4-mapped one counts as IPv4. Anything else is refused. */
  allows(address: string): boolean {
    const { family, address: bare } = endpoint(address, 0)
    if (family === 0) return false
    if (this.#allowed.has(bare)) return true
    const within = family === 6 ? innerOf(bare) : undefined
    return !this.#denied.has(bare) && (within === undefined || !this.#denied.has(within) || this.#allowed.has(within))
  }
}

/**
 * The IPv4 address to which a translator or tunnel on the way takes an IPv6 one. Else `64:ff9b::a9fe:a9fe` would be a
 * way to 169.254.169.254.
 */
function innerOf(address: string): string | undefined {
  const [head = '', tail = ''] = address.split('::')
  const [before, after] = [head, tail].map((part) => (part === '' ? [] : part.split(':'))) as [string[], string[]]
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const groups = [...before, ...zeros, ...after].map((group) => Number.parseInt(group, 16))
  const begins = (...prefix: number[]): boolean => prefix.every((group, index) => groups[index] === group)
  // NAT64 (RFC 6052), IPv4-compatible (RFC 4291 §2.5.5.1), SIIT (RFC 2765)
  if (begins(0x64, 0xff9b, 0, 0, 0, 0) || begins(0, 0, 0, 0, 0, 0) || begins(0, 0, 0, 0, 0xffff, 0)) {
    return groups[6] === 0 && (groups[7] ?? 0) <= 1 ? undefined : textOf(groups[6], groups[7])
  }
  // 6to4 (RFC 3056)
  if (begins(0x2002)) return textOf(groups[1], groups[2])
  // Teredo (RFC 4380 §4): the client's address, inverted
  if (begins(0x2001, 0)) return textOf((groups[6] ?? 0) ^ 0xffff, (groups[7] ?? 0) ^ 0xffff)
  return undefined
}

function textOf(high = 0, low = 0): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}
