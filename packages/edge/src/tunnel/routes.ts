import type { Protocol } from '@engawa/shared/wire/opening'
import type { Published } from './published.ts'

/** Tunnels by host and path, and by port. */
export class Routes {
  /** Of each host the longest path first. */
  readonly #byHost = new Map<string, Published[]>()
  readonly #byPort: Record<'tcp' | 'udp', Map<number, Published>> = { tcp: new Map(), udp: new Map() }

  byHost(host: string, path: string): Published | undefined {
    return this.#byHost.get(host)?.find((tunnel) => isBelow(path, tunnel.path))
  }

  byPort(protocol: 'tcp' | 'udp', port: number): Published | undefined {
    return this.#byPort[protocol].get(port)
  }

  add(tunnel: Published): void {
    for (const host of tunnel.hosts) {
      const all = [...(this.#byHost.get(host) ?? []), tunnel]
      this.#byHost.set(
        host,
        all.toSorted((a, b) => (b.path ?? '').length - (a.path ?? '').length),
      )
    }
    for (const port of portsOf(tunnel)) this.#portsLike(tunnel).set(port, tunnel)
  }

  /** Before its lease changes. */
  remove(tunnel: Published): void {
    for (const host of tunnel.hosts) {
      const others = (this.#byHost.get(host) ?? []).filter((other) => other !== tunnel)
      if (others.length > 0) this.#byHost.set(host, others)
      else this.#byHost.delete(host)
    }
    const table = this.#portsLike(tunnel)
    for (const port of portsOf(tunnel)) if (table.get(port) === tunnel) table.delete(port)
  }

  #portsLike(tunnel: Published): Map<number, Published> {
    return this.#byPort[transportOf(tunnel)]
  }
}

/** The same number may be leased once for each. */
export function transportOf({ protocol }: { readonly protocol: Protocol }): 'tcp' | 'udp' {
  return protocol === 'udp' ? 'udp' : 'tcp'
}

function portsOf({ ports }: Published): number[] {
  if (ports === undefined) return []
  return Array.from({ length: ports[1] - ports[0] + 1 }, (_, index) => ports[0] + index)
}

/** `/api` leads `/api` and `/api/…`, not `/apix`. */
function isBelow(path: string, prefix: string | undefined): boolean {
  return prefix === undefined || path === prefix || path.startsWith(`${prefix}/`)
}
