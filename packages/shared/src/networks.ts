import { BlockList } from 'node:net'
import { EngawaError } from './errors.ts'
import { quoted } from './say.ts'
import { endpoint } from './wire/opening.ts'

/** `ADDRESS/BITS`, or an address alone, in one spelling; IPv4-mapped IPv6 as IPv4. Throws FLAG_INVALID. */
export function parseNetwork(text: string): string {
  const [, typed = '', bits] = /^([\da-f:.]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? []
  const { family, address } = endpoint(typed, 0)
  const typedBits = typed.includes(':') ? 128 : 32
  // A mapped network is one of IPv4 if it lies below ::ffff:0:0/96.
  const lost = family === 4 ? typedBits - 32 : 0
  const most = typedBits - lost
  const length = Number(bits ?? typedBits) - lost
  if (family !== 0 && length >= 0 && length <= most) return `${address}/${length}`
  throw new EngawaError('FLAG_INVALID', `${quoted(text)} is no network; write 192.0.2.0/24 or 2001:db8::/32`, {
    ja: `${quoted(text)} はネットワークではありません。192.0.2.0/24 や 2001:db8::/32 のように書いてください`,
  })
}

/** Networks to look addresses up in. IPv4-mapped addresses are IPv4. */
export class Networks {
  /** One for each family: Node's would find an IPv4 address in `::/0`. */
  readonly #of4 = new BlockList()
  readonly #of6 = new BlockList()

  /** As `parseNetwork` gives them. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/')
      if (address.includes(':')) this.#of6.addSubnet(address, Number(bits), 'ipv6')
      else this.#of4.addSubnet(address, Number(bits), 'ipv4')
    }
  }

  /** False for what is no address. */
  has(text: string): boolean {
    const { family, address } = endpoint(text, 0)
    if (family === 4) return this.#of4.check(address, 'ipv4')
    return family === 6 && this.#of6.check(address, 'ipv6')
  }
}
