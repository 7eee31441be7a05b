import type { PortRange } from '@engawa/shared/ports'
import type { Bound } from '@engawa/shared/wire/control'
import type { Protocol } from '@engawa/shared/wire/opening'
import { AddressRules, type RuleTexts } from '../guard/rules.ts'
import type { Lease } from '../store/leases.ts'
import type { Addresses } from './face.ts'
import type { Link, Live, Rewrite, Traffic, Tunnel } from './tunnel.ts'

/** A link as the registry needs it. */
export interface AgentSession extends Link {
  /** The agent's id in the store. */
  readonly agentId: number
  /** No new streams: no carrier at the moment, or its agent finishes what runs. */
  readonly away: boolean
  /** Over for good: nothing may be given to it any more. */
  readonly ended: boolean
  /** Says again where one of its services is found. protocol.md [M4] */
  tell(bound: Bound): void
}

/** What is known elsewhere and may change while a tunnel stands. */
export interface Look {
  agentName(id: number): string
  hosts(lease: Lease): readonly string[]
  addresses(lease: Lease): Addresses
}

/** One lease with what the edge knows of it while it runs. */
export class Published implements Tunnel {
  lease: Lease
  session: AgentSession | undefined
  service = 0
  check: string | undefined
  /** Its service can be asked; what is looked at or has failed says so. */
  well = true
  /** Ends the looking at it. */
  unwatch: (() => void) | undefined
  /** The public address that its agent has been told. */
  told = ''
  hostHeader: string | undefined
  rewrite: Rewrite = { strip: false, prefix: '' }
  h2c = false
  lastLiveAt = 0
  readonly traffic: Traffic = { received: 0, sent: 0, total: 0, open: 0, dropped: 0 }
  readonly #look: Look
  #live: Live | undefined
  #rules: { readonly of: RuleTexts; readonly made: AddressRules | undefined } | undefined

  constructor(lease: Lease, look: Look) {
    this.lease = lease
    this.#look = look
  }

  get agent(): string {
    return this.#look.agentName(this.lease.agent)
  }

  get name(): string {
    return this.lease.name
  }

  get balanced(): boolean {
    return this.lease.balance
  }

  get protocol(): Protocol {
    return this.lease.protocol
  }

  get hosts(): readonly string[] {
    return this.#look.hosts(this.lease)
  }

  get ports(): PortRange | undefined {
    return this.lease.ports
  }

  get path(): string | undefined {
    return this.lease.path
  }

  get public(): string {
    return this.#look.addresses(this.lease).public
  }

  get urls(): readonly string[] {
    return this.#look.addresses(this.lease).urls
  }

  /** Its public address is to be https before long. */
  get awaitsCertificate(): boolean {
    return this.#look.addresses(this.lease).awaited
  }

  get target(): string {
    return this.lease.target
  }

  get rules(): AddressRules | undefined {
    const { rules } = this.lease
    if (this.#rules?.of !== rules) {
      const made = rules.allow.length + rules.deny.length > 0 ? new AddressRules(rules) : undefined
      this.#rules = { of: rules, made }
    }
    return this.#rules.made
  }

  get live(): Live | undefined {
    const { session, service } = this
    if (session === undefined || session.away) return undefined
    if (this.#live?.link !== session || this.#live.service !== service) this.#live = { link: session, service }
    return this.#live
  }
}
