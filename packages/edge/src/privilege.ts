import { readFileSync } from 'node:fs'

/** Bit of CAP_NET_BIND_SERVICE, capability.h. */
const NET_BIND_SERVICE = 10n

/** Whether this process may listen on ports below 1024: root, capability or sysctl. */
export function mayBindLow(): boolean {
  return unprivilegedStart() <= 80 || hasCapability() || (process.platform !== 'linux' && process.getuid?.() === 0)
}

function unprivilegedStart(): number {
  const text = read('/proc/sys/net/ipv4/ip_unprivileged_port_start')
  return text === undefined ? 1024 : Number(text)
}

/** Root in a container may lack the capability, so the user id alone says nothing. */
function hasCapability(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(read('/proc/self/status') ?? '')?.[1]
  return effective !== undefined && ((BigInt(`0x${effective}`) >> NET_BIND_SERVICE) & 1n) === 1n
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
