import { wildcardOf } from '@engawa/shared/names'
import type { Protocol } from '@engawa/shared/wire/opening'
import { isBelow } from '../route/route.ts'
import { baseName } from './leases.ts'
import type { Published } from './published.ts'

const NOBODY: ReadonlySet<unknown> = new Set()

/** Tunnels by host and path, and by port. */
export class Routes {
  /** Of each host the longest path first. */
  readonly #byHost = new Map<string, Published[]>()
  /** Whose turn it is, by the name that is shared. */
  readonly #turns = new Map<string, number>()
  #bare: Published | undefined
  readonly #byPort: Record<'tcp' | 'udp', Map<number, Published>> = { tcp: new Map(), udp: new Map() }

  byHost(host: string, path: string): Published | undefined {
    const all = this.named(host)
    // Beside TLS that is passed through, HTTP may lead to another tunnel.
    const found = all.find((it) => it.protocol === 'http' && isBelow(path, it.path))
    return found?.balanced === true ? this.share(found) : (found ?? all.find((it) => it.protocol === 'tls'))
  }

  /** Of those that share a name and path the next one that is there and well, in turn. Without any: who was there last, if nobody was tried. */
  share(like: Published, tried: ReadonlySet<unknown> = NOBODY): Published | undefined {
    const name = baseName(like.name)
    const all = this.named(like.hosts[0] ?? '').filter(
      (it) => it.balanced && it.path === like.path && baseName(it.name) === name && !tried.has(it),
    )
    const there = all.filter(({ live }) => live !== undefined)
    const well = there.filter((it) => it.well)
    const able = well.length > 0 ? well : there
    if (able.length === 0) {
      return tried.size > 0 ? undefined : all.reduce((last, it) => (it.lastLiveAt > last.lastLiveAt ? it : last), like)
    }
    const turn = (this.#turns.get(name) ?? 0) % able.length
    this.#turns.set(name, turn + 1)
    return able[turn]
  }

  /** Every tunnel of a host: those of its own name, else those of the wildcard above it. */
  named(host: string): readonly Published[] {
    return this.#byHost.get(host) ?? this.#byHost.get(wildcardOf(host)) ?? []
  }

  /** The one that answers at the bare address. */
  bare(): Published | undefined {
    return this.#bare
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
    if (tunnel.lease.bare) this.#bare = tunnel
  }

  /** Before its lease changes. */
  remove(tunnel: Published): void {
    for (const host of tunnel.hosts) {
      const others = (this.#byHost.get(host) ?? []).filter((other) => other !== tunnel)
      if (others.length > 0) this.#byHost.set(host, others)
      else this.#byHost.delete(host)
    }
    if (this.#bare === tunnel) this.#bare = undefined
    this.#turns.delete(baseName(tunnel.name))
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
