import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Admission } from '../admit.ts'
import { UdpForward } from '../forward/udp.ts'
import { Openings } from './openings.ts'
import { UdpSocket } from './udp-socket.ts'

/** How often the machine's addresses are looked at again, and ports that were not free tried again, milliseconds. */
const LOOK_MS = 5000

export interface UdpPorts {
  /** Resolves when every port that was wanted by now listens or has failed once. */
  settled(): Promise<void>
  /** Flows have no end of their own: there is nothing to wait for. */
  close(drainMs?: number): Promise<void>
}

/** Listens on the ports of UDP tunnels as they come and go. `bind`: a host; empty for all interfaces. */
export function startUdpPorts({
  bind,
  admission,
  open = Promise.resolve(),
  addresses = () => localAddresses(bind),
}: {
  bind: string
  admission: Admission
  /** Nothing is bound before: an earlier generation still has the ports, and flows are not handed over. */
  open?: Promise<void> | undefined
  addresses?: () => readonly string[]
}): UdpPorts {
  const { log, table } = admission
  const forward = new UdpForward(admission)
  const ports = new Map<number, UdpPort>()
  let known = new Set(addresses())
  const openings = new Openings()
  table.onPorts(async (change) => {
    if (change.tunnel.protocol !== 'udp') return
    await openings.follow(change, (number) => {
      const former = ports.get(number)
      if (change.listen && former !== undefined) return undefined
      ports.delete(number)
      former?.close()
      if (!change.listen) return undefined
      const port = new UdpPort({ number, forward, open, failed: (error) => tell(error, number) })
      ports.set(number, port)
      return port.follow(known)
    })
  })
  const timer = setInterval(() => {
    known = new Set(addresses())
    for (const port of ports.values()) void port.follow(known)
  }, LOOK_MS).unref()

  function tell(error: unknown, port: number): void {
    log.warn({ err: error, port, transport: 'udp' }, 'port not available')
  }

  return {
    settled: async () => {
      await openings.settled()
      await Promise.all([...ports.values()].map((port) => port.follow(known)))
    },
    close: async () => {
      openings.end()
      clearInterval(timer)
      for (const port of ports.values()) port.close()
      forward.close()
    },
  }
}

interface PortOptions {
  readonly number: number
  readonly forward: UdpForward
  readonly open: Promise<void>
  /** Called once for each address that cannot be bound. */
  readonly failed: (error: unknown) => void
}

/** One port on every address of the machine, for as long as it is wanted. */
class UdpPort {
  readonly #options: PortOptions
  readonly #sockets = new Map<string, UdpSocket>()
  readonly #told = new Set<string>()
  #work: Promise<void>
  #closed = false

  constructor(options: PortOptions) {
    this.#options = options
    this.#work = options.open
  }

  /** Makes its sockets those of `addresses`; resolves when each is bound or has failed. */
  follow(addresses: ReadonlySet<string>): Promise<void> {
    this.#work = this.#after(this.#work, addresses)
    return this.#work
  }

  async #after(before: Promise<void>, addresses: ReadonlySet<string>): Promise<void> {
    await before
    for (const [address, socket] of this.#sockets) {
      if (addresses.has(address)) continue
      this.#sockets.delete(address)
      socket.close()
    }
    await Promise.all([...addresses].filter((one) => !this.#sockets.has(one)).map((one) => this.#bind(one)))
  }

  async #bind(address: string): Promise<void> {
    if (this.#closed) return
    const { number: port, forward, failed } = this.#options
    try {
      const socket = await UdpSocket.bind({ address, port, forward })
      if (this.#closed) socket.close()
      else this.#sockets.set(address, socket)
      this.#told.delete(address)
    } catch (error) {
      if (!this.#told.has(address)) failed(error)
      this.#told.add(address)
    }
  }

  close(): void {
    this.#closed = true
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }
}

/** Every address of this machine that `bind` stands for. Link-local ones are no public addresses. */
function localAddresses(bind: string): string[] {
  const family = { '': 0, '::': 0, '0.0.0.0': 4 }[bind]
  if (family === undefined) return [bind]
  return Object.values(networkInterfaces())
    .flatMap((all) => all ?? [])
    .map(({ address }) => address)
    .filter((address) => !/^fe80:/i.test(address) && (family === 0 || isIP(address) === family))
}
