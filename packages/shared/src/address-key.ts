import { endpoint } from './wire/opening.ts'

/**
 * What limits count by: an IPv4 address, or the /64 of an IPv6 one, since whoever has one address there has all of them.
 * IPv4-mapped addresses are IPv4.
 */
export function addressKey(address: string | undefined): string {
  const { family, address: text } = endpoint(address, 0)
  if (family !== 6) return text
  const [head = '', tail] = text.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length
    while (groups.length < 8 - after) groups.push('0')
  }
  return `${groups.slice(0, 4).join(':')}::/64`
}
