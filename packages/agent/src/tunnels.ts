import type { AgentMessage, Bound, EdgeMessage } from '@engawa/shared/wire/control'
import type { ShownEvent } from './events.ts'
import type { Memory } from './memory.ts'
import { defaultName } from './naming.ts'
import { warnOfTrust } from './trust.ts'
import { isByPort, type Wish } from './wish.ts'

/** Who asked: this terminal, agent.yaml, or another process over agent.sock. Its tunnels live as long as it does. */
export interface Owner {
  tell(event: ShownEvent): void
}

export interface Published {
  /** Names it to the edge; never used again in this process. */
  readonly service: number
  readonly owner: Owner
  wish: Wish
  readonly name: string
  state: 'waiting' | 'bound' | 'refused'
  bound: Bound | undefined
  /** `dropped`: datagrams that had no room. */
  readonly traffic: { total: number; open: number; received: number; sent: number; dropped: number }
}

export interface TunnelsSettings {
  readonly agent: string
  readonly memory: Memory
  readonly send: (message: AgentMessage) => void
  /** After each `bound`, the first and every later one. */
  readonly onBound: (published: Published) => void
}

/** The agent's own list of what it publishes: the only services that a stream may name. */
export class Tunnels {
  readonly #settings: TunnelsSettings
  readonly #byService: Map<number, Published> = new Map()
  #lastService = 0

  constructor(settings: TunnelsSettings) {
    this.#settings = settings
  }

  add(owner: Owner, wish: Wish): Published {
    const { agent, memory } = this.#settings
    const inUse = new Set([...this.#byService.values()].map(({ name }) => name))
    const name = wish.name ?? defaultName(wish.target, { agent, kept: memory.names, inUse })
    const published: Published = {
      service: ++this.#lastService,
      owner,
      wish,
      name,
      state: 'waiting',
      bound: undefined,
      traffic: { total: 0, open: 0, received: 0, sent: 0, dropped: 0 },
    }
    this.#byService.set(published.service, published)
    owner.tell({ event: 'asking', name, target: wish.target.text })
    this.#settings.send(bindOf(published))
    return published
  }

  /** Asks for the same tunnel by other terms; visitors notice nothing but the terms. protocol.md [M1] */
  change(published: Published, wish: Wish): void {
    published.wish = wish
    published.state = 'waiting'
    this.#settings.send(bindOf(published))
  }

  /** A new session knows nothing of us: ask for everything again. protocol.md [M2] */
  bindAll(): void {
    for (const published of this.#byService.values()) {
      published.state = 'waiting'
      this.#settings.send(bindOf(published))
    }
  }

  /** Stops publishing; says so to its owner. */
  remove(published: Published): void {
    if (!this.#byService.delete(published.service)) return
    if (published.state !== 'refused') this.#settings.send({ type: 'unbind', service: published.service })
    published.owner.tell({ event: 'removed', name: published.name })
  }

  find(service: number): Published | undefined {
    return this.#byService.get(service)
  }

  /** Several where they share it. */
  named(name: string): Published[] {
    return this.list().filter((published) => published.name === name && published.state !== 'refused')
  }

  list(): Published[] {
    return [...this.#byService.values()]
  }

  /** Takes what the edge says of tunnels; `done` and `failed` are not its business. */
  receive(message: EdgeMessage): void {
    if (!('service' in message)) return
    const published = this.#byService.get(message.service)
    if (published === undefined) return
    const { owner, name, wish } = published
    if (message.type === 'bound') {
      const { bound } = published
      const again = bound?.public === message.public && bound.awaitsCertificate === message.awaitsCertificate
      published.bound = message
      published.state = 'bound'
      const { memory } = this.#settings
      const isNew = !memory.names.has(wish.target.text)
      memory.keep(wish.target.text, name)
      if (!again) owner.tell(tunnelEvent(published, message))
      if (isNew) warnOfTrust(published)
      this.#settings.onBound(published)
    } else if (message.type === 'refused' || message.type === 'unbound') {
      published.state = 'refused'
      published.bound = undefined
      const text = message.type === 'refused' ? message.message : message.code
      const other = message.code === 'NAME_TAKEN' ? this.named(name)[0] : undefined
      owner.tell({
        event: 'refused',
        name,
        code: message.code,
        message: text,
        target: wish.target.text,
        ...(other !== undefined && { used_for: other.wish.target.text }),
      })
    } else {
      const { type: _type, service: _service, ...summary } = message
      owner.tell({ event: 'request', name, ...summary })
    }
  }
}

export function tunnelEvent(published: Published, bound: Bound): ShownEvent {
  const { target } = published.wish
  return {
    event: 'tunnel',
    // As asked for: another one would be the edge's invention.
    name: published.name,
    protocol: target.protocol,
    public: bound.public,
    urls: bound.urls,
    target: target.text,
    ...(bound.awaitsCertificate === true && { awaits_certificate: true }),
  }
}

function bindOf({ service, name, wish }: Published): AgentMessage {
  const { target, hosts, path, stripPath, bare, balance, health, port, allow, deny, hostHeader } = wish
  const { place } = target
  const ports = isByPort(target) && place.kind === 'port'
  const count = ports ? place.count : 1
  // Without --port the public port is the target's own if that is free: asked for, not insisted on.
  const wanted = port ?? (ports ? ([place.port, place.port + count - 1] as const) : undefined)
  return {
    type: 'bind',
    service,
    name,
    protocol: target.protocol,
    ...(hosts !== undefined && hosts.length > 0 && { hosts }),
    ...(path !== undefined && { path }),
    ...(wanted !== undefined && isByPort(target) && { port: wanted, exact: port !== undefined, count }),
    ...(allow !== undefined && { allow }),
    ...(deny !== undefined && { deny }),
    ...(hostHeader !== undefined && { hostHeader }),
    ...(stripPath === true && { strip: true }),
    ...(target.path !== undefined && { prefix: target.path }),
    ...(bare === true && { bare: true }),
    ...(balance === true && { balance: true }),
    ...(health !== undefined && { health }),
    ...(target.h2c && { h2c: true }),
    target: target.text,
  }
}
