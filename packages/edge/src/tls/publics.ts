import { X509Certificate } from 'node:crypto'
import type { KeyAndChain } from '../identity/authority.ts'

/** A certificate of another authority than the edge's own. */
export interface PublicPair extends KeyAndChain {
  /** Wall-clock milliseconds. */
  readonly from: number
  readonly until: number
  /** Browsers take it; staging CAs issue for trying alone. */
  readonly trusted: boolean
}

/** Throws what node:crypto does for what is no certificate, and where key and certificate do not belong together. */
export function readPair({ key, cert }: KeyAndChain, trusted: boolean): { pair: PublicPair; leaf: X509Certificate } {
  const leaf = new X509Certificate(cert)
  return { leaf, pair: { key, cert, from: leaf.validFromDate.getTime(), until: leaf.validToDate.getTime(), trusted } }
}

/** Certificates from files and from a CA, by the names they are good for. */
export class PublicCertificates {
  readonly #wall: () => number
  readonly #files = new Map<string, PublicPair>()
  readonly #kept = new Map<string, PublicPair>()

  constructor(wall: () => number) {
    this.#wall = wall
  }

  setFile(name: string, pair: PublicPair): void {
    this.#files.set(name, pair)
  }

  keep(names: readonly string[], pair: PublicPair): void {
    for (const name of names) this.#kept.set(name, pair)
  }

  drop(names: readonly string[]): void {
    for (const name of names) this.#kept.delete(name)
  }

  /** The one to show for a host, files first; the same object until it is replaced. Undefined: none that is good today. */
  find(host: string): PublicPair | undefined {
    const wild = `*${host.slice(host.indexOf('.'))}`
    const now = this.#wall()
    for (const pairs of [this.#files, this.#kept]) {
      const found = [pairs.get(host), pairs.get(wild)].find((pair) => pair !== undefined && now < pair.until)
      if (found !== undefined) return found
    }
    return undefined
  }

  trusts(host: string): boolean {
    return this.find(host)?.trusted === true
  }
}
