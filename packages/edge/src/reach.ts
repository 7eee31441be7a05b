import { networkInterfaces } from 'node:os'
import { familyOf, formatAddress } from '@engawa/shared/addresses'
import ipaddr from 'ipaddr.js'
import type { EdgeSettings, PublicHost } from './config.ts'
import type { Effective } from './store/meta.ts'

export type Reach = Effective['reach']

/** An address of this machine. */
export interface OwnAddress {
  readonly interface: string
  readonly address: string
}

/** A join line holds at most 16; more than a few only make dialling slow. */
const MOST = 8
/** Bridges of containers and virtual machines: nobody outside reaches them. */
const INSIDE = /^(docker|br-|veth|virbr|cni|flannel|lxc|podman)/
const NEAREST: readonly Reach[] = ['public', 'private', 'local']

/**
 * What agents are told to dial: `--public-host`, else the domain, else this machine's own addresses
 * as far as the carrier listener (`listens`, empty for everywhere) covers them.
 */
export function dialHosts(
  { domain, publicHosts }: Pick<EdgeSettings, 'domain' | 'publicHosts'>,
  listens: string,
  own: readonly OwnAddress[],
): readonly PublicHost[] {
  if (publicHosts.length > 0) return publicHosts.slice(0, MOST)
  const hosts = domain === 'localhost' ? ownHosts(listens, own) : [domain]
  return hosts.slice(0, MOST).map((host) => ({ host, port: undefined }))
}

/** The same with the real port, as `edge invite` needs it. */
export function effective(domain: string, hosts: readonly PublicHost[], carrierPort: number): Effective {
  return {
    domain,
    addresses: hosts.map(({ host, port }) => formatAddress({ host, port: port ?? carrierPort })),
    reach: nearest(hosts.map(({ host }) => host)),
  }
}

/** From where the best of these hosts can be reached. */
export function nearest(hosts: readonly string[]): Reach {
  const reaches = new Set(hosts.map(reachOf))
  return NEAREST.find((reach) => reaches.has(reach)) ?? 'local'
}

/** The best kind of address that the listener takes: global ones, else private ones, else loopback. IPv6 first: it needs no translator. */
function ownHosts(listens: string, own: readonly OwnAddress[]): string[] {
  if (listens !== '' && listens !== '0.0.0.0' && listens !== '::') return [listens]
  const hosts = own
    .filter(({ interface: name, address }) => !INSIDE.test(name) && !/^(fe80|169\.254\.)/i.test(address))
    .map(({ address }) => address)
    .filter((host) => listens !== '0.0.0.0' || familyOf(host) === 4)
  for (const reach of ['public', 'private'] as const) {
    const found = hosts.filter((host) => reachOf(host) === reach)
    if (found.length > 0) return found.toSorted((a, b) => familyOf(b) - familyOf(a))
  }
  return ['127.0.0.1']
}

/** From where a host can be reached; a name is believed to be public. */
export function reachOf(host: string): Reach {
  if (host === 'localhost' || host.endsWith('.localhost')) return 'local'
  if (familyOf(host) === 0) return 'public'
  const range = ipaddr.process(host).range()
  if (range === 'loopback') return 'local'
  return ['private', 'uniqueLocal', 'carrierGradeNat', 'linkLocal'].includes(range) ? 'private' : 'public'
}

/** Those of this machine, without loopback. */
export function ownAddresses(): OwnAddress[] {
  return Object.entries(networkInterfaces()).flatMap(([name, all]) =>
    (all ?? []).filter(({ internal }) => !internal).map(({ address }) => ({ interface: name, address })),
  )
}
