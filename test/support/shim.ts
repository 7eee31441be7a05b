import net from 'node:net'

interface Link {
  readonly inner: net.Socket
  readonly outer: net.Socket
  dead: boolean
}

/**
 * A piece of wire between an agent and its edge that can be ill-treated: each accepted connection is a link to `target`.
 *
 * What a real network does to a TCP connection comes in three kinds: it answers RST (`reset`), it forgets the
 * connection and swallows what comes (`drop`), or it holds everything up for a while (`pause`).
 */
export class Shim {
  /** Bytes forwarded from those who dialled (`up`) and back to them (`down`), over all links. */
  up = 0
  down = 0
  /** Links so far. */
  accepted = 0
  /** How late each slice is handed on. */
  delayMs = 0
  #server: net.Server
  #target: { host: string; port: number } | undefined
  #links = new Set<Link>()
  #mode: 'forward' | 'pause' | 'swallow' | 'refuse' = 'forward'
  #cut: { left: number; done: () => void } | undefined

  private constructor(server: net.Server) {
    this.#server = server
    server.on('connection', (outer) => this.#join(outer))
  }

  /** Listens on a free port of 127.0.0.1. Until `lead` names a target, links are refused by RST. */
  static async open(): Promise<Shim> {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new Shim(server)
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** Links that are up by now. */
  get live(): number {
    return [...this.#links].filter(({ dead }) => !dead).length
  }

  lead(address: string): void {
    const colon = address.lastIndexOf(':')
    this.#target = { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) }
  }

  /** Ends every link by RST on both sides. New ones may come at once. */
  reset(): void {
    for (const { inner, outer } of this.#links) {
      inner.resetAndDestroy()
      outer.resetAndDestroy()
    }
  }

  /** Forgets every link, as a NAT that lost its table does: both sides stay open and hear nothing more. New links live. */
  drop(): void {
    for (const link of this.#links) {
      link.dead = true
      link.inner.pause()
      link.outer.pause()
    }
  }

  /** As `drop`, and new links are swallowed too, until `restore`. */
  blackHole(): void {
    this.drop()
    this.#mode = 'swallow'
  }

  /** Resets every link and each new one, until `restore`. */
  refuse(): void {
    this.#mode = 'refuse'
    this.reset()
  }

  /** Holds up everything, loses nothing, until `restore`. */
  pause(): void {
    this.#mode = 'pause'
    for (const { inner, outer } of this.#links) {
      inner.pause()
      outer.pause()
    }
  }

  restore(): void {
    this.#mode = 'forward'
    for (const { inner, outer, dead } of this.#links) {
      if (dead) continue
      inner.resume()
      outer.resume()
    }
  }

  /** Resets all links as soon as `bytes` more have been forwarded, in either direction; resolves then. */
  cutAfter(bytes: number): Promise<void> {
    return new Promise((done) => {
      this.#cut = { left: bytes, done }
    })
  }

  async close(): Promise<void> {
    this.reset()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #join(outer: net.Socket): void {
    this.accepted++
    outer.on('error', () => undefined)
    if (this.#mode === 'refuse' || this.#target === undefined) {
      outer.resetAndDestroy()
      return
    }
    const inner = net.connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    const link: Link = { inner, outer, dead: false }
    this.#links.add(link)
    if (this.#mode === 'swallow') link.dead = true
    this.#forward(link, outer, inner, (bytes) => {
      this.up += bytes
    })
    this.#forward(link, inner, outer, (bytes) => {
      this.down += bytes
    })
    if (link.dead || this.#mode === 'pause') {
      inner.pause()
      outer.pause()
    }
  }

  #forward(link: Link, from: net.Socket, to: net.Socket, count: (bytes: number) => void): void {
    const later = (act: () => void): void => {
      if (this.delayMs > 0) setTimeout(act, this.delayMs)
      else act()
    }
    from.on('data', (bytes: Buffer) => {
      count(bytes.length)
      later(() => {
        if (link.dead || to.destroyed) return
        if (!to.write(bytes)) from.pause()
      })
      this.#spend(bytes.length)
    })
    to.on('drain', () => {
      if (!link.dead && this.#mode === 'forward') from.resume()
    })
    from.on('end', () => later(() => link.dead || to.end()))
    from.on('error', () => undefined)
    from.on('close', (failed) => {
      if (link.dead && !to.destroyed) return
      this.#links.delete(link)
      if (failed) to.resetAndDestroy()
      else to.destroySoon()
    })
  }

  #spend(bytes: number): void {
    const cut = this.#cut
    if (cut === undefined) return
    cut.left -= bytes
    if (cut.left > 0) return
    this.#cut = undefined
    this.reset()
    cut.done()
  }
}
