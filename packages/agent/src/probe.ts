import { access, constants } from 'node:fs/promises'
import type { Code } from '@engawa/shared/errors'
import { deliver, failureOf } from './deliver/deliver.ts'
import { ownHeader } from './deliver/proxy.ts'
import { Reach } from './deliver/reach.ts'
import { ServiceSocket } from './deliver/udp.ts'
import { hasListener } from './listeners.ts'
import type { Published } from './tunnels.ts'
import type { Wish } from './wish.ts'

/** How long a service on the LAN may take to answer before it counts as silent, milliseconds. */
const PROBE_MS = 1500
/** How long the word that nothing listens on a UDP port may take, milliseconds. */
const UDP_MS = 500
/** Between two looks at a service that does not answer, milliseconds. */
const AGAIN_MS = 2000

/** Looks whether the service (the first port of a range) would be reached. Undefined: it would; else why not. */
export async function probe(wish: Wish, patienceMs: number = PROBE_MS): Promise<Code | undefined> {
  const { place, protocol, secure } = wish.target
  if (place.kind === 'folder') return probeFolder(place.path)
  if (protocol === 'udp' && place.kind === 'port') return probeUdp(wish, place)
  // A certificate is seen only by who asks for it.
  if (place.kind === 'port' && !secure && (await hasListener(place.host, place.port))) return undefined
  return probeSocket(wish, patienceMs)
}

/** Connects and closes again. */
function probeSocket(wish: Wish, patienceMs: number): Promise<Code | undefined> {
  const { reach } = wish
  return new Promise((resolve) => {
    const { socket, ready } = deliver(wish, { portIndex: 0, reach: new Reach(reach) })
    const settle = (failure: Code | undefined): void => {
      clearTimeout(timer)
      resolve(failure)
      if (socket.writableEnded) socket.destroySoon()
      else socket.destroy()
    }
    const timer = setTimeout(settle, patienceMs, 'SERVICE_TIMEOUT')
    socket.once(ready, () => {
      // Said to the end, or the service would log a broken connection.
      if (wish.proxyProtocol !== undefined) socket.end(ownHeader(wish.proxyProtocol))
      settle(undefined)
    })
    socket.on('error', (error) => settle(failureOf(error)))
  })
}

async function probeFolder(path: string): Promise<Code | undefined> {
  try {
    await access(`${path}/.`, constants.R_OK | constants.X_OK)
    return undefined
  } catch {
    return 'SERVICE_UNREACHABLE'
  }
}

/**
 * Sends one empty datagram. Most services say nothing to that, but a machine where nothing listens does: that answer is
 * all that can be learnt without speaking the service's own protocol.
 */
function probeUdp({ reach, proxyProtocol }: Wish, place: { host: string; port: number }): Promise<Code | undefined> {
  return new Promise((resolve) => {
    const settle = (failure: Code | undefined): void => {
      clearTimeout(timer)
      socket.close()
      resolve(failure)
    }
    const socket = new ServiceSocket(place, new Reach(reach), {
      received: () => settle(undefined),
      failed: (error) => settle(failureOf(error)),
    })
    const timer = setTimeout(settle, UDP_MS, undefined)
    socket.send(proxyProtocol === undefined ? new Uint8Array(0) : ownHeader(proxyProtocol))
  })
}

/** Watches services that do not answer, and tells their owners of each change. */
export class Watch {
  readonly #silent: Map<Published, NodeJS.Timeout | undefined> = new Map()
  readonly #looped: WeakSet<Published> = new WeakSet()
  #closed = false

  /** The first look at a service that has just been published. */
  async look(published: Published): Promise<void> {
    this.tried(published, await probe(published.wish))
  }

  /** What a visitor's connection or a look has shown. */
  tried(published: Published, failure: Code | undefined): void {
    if (this.#closed || this.#looped.has(published)) return
    if (failure === 'SERVICE_LOOP') {
      // It answers every look, and each look is another visit: told once, until the tunnel is another one.
      this.forget(published)
      this.#looped.add(published)
      return this.#tell(published, failure)
    }
    const known = this.#silent.has(published)
    if (failure === undefined) {
      if (known) this.#tell(published, undefined)
      return this.forget(published)
    }
    if (known) return
    this.#tell(published, failure)
    this.#lookAgain(published)
  }

  forget(published: Published): void {
    clearTimeout(this.#silent.get(published))
    this.#silent.delete(published)
  }

  close(): void {
    this.#closed = true
    for (const published of this.#silent.keys()) this.forget(published)
  }

  #lookAgain(published: Published): void {
    const timer = setTimeout(() => void this.#look(published), AGAIN_MS)
    this.#silent.set(published, timer.unref())
  }

  async #look(published: Published): Promise<void> {
    const failure = await probe(published.wish)
    if (!this.#silent.has(published)) return
    if (failure === undefined) this.tried(published, undefined)
    else this.#lookAgain(published)
  }

  #tell({ owner, name, state, wish }: Published, failure: Code | undefined): void {
    // Why it is not published has been told; starting the service would change nothing.
    if (state === 'refused') return
    const target = wish.target.text
    owner.tell({
      event: 'service',
      name,
      target,
      reachable: failure === undefined,
      ...(failure !== undefined && { code: failure }),
    })
  }
}
