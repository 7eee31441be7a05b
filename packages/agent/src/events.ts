import type { Code } from '@engawa/shared/errors'
import type { RequestSummary } from '@engawa/shared/wire/control'

/** A text for people; `ja` where there is a Japanese one, never part of `--json`. */
export interface Told {
  readonly message: string
  readonly ja?: string
}

/** What a running agent tells: to its terminal, to `--json` (contract.md gives the spelling) and over agent.sock. */
export type AgentEvent =
  | { readonly event: 'connected'; readonly edge: string; readonly carriers: number }
  | {
      readonly event: 'tunnel'
      readonly name: string
      readonly protocol: string
      readonly public: string
      readonly urls: readonly string[]
      readonly target: string
      /** `public` becomes https when the edge has a certificate for it. */
      readonly awaits_certificate?: true
    }
  | ({
      readonly event: 'refused'
      readonly name: string
      readonly code: Code
      readonly target: string
      /** The target of this agent itself that has the name already. */
      readonly used_for?: string
    } & Told)
  | { readonly event: 'removed'; readonly name: string }
  /** Something to know before it does harm; told once for each target. */
  | ({ readonly event: 'notice'; readonly name: string; readonly code: 'LOCAL_VISITORS' } & Told)
  | { readonly event: 'carrier_lost'; readonly left: number }
  | ({ readonly event: 'disconnected'; readonly retry_ms: number; readonly code?: Code } & Partial<Told>)
  | { readonly event: 'resumed'; readonly streams: number; readonly away_ms: number }
  /** The service of a tunnel was tried: it does not answer, or does again. Never a reason to stop. */
  | {
      readonly event: 'service'
      readonly name: string
      readonly target: string
      readonly reachable: boolean
      readonly code?: Code
    }
  /** The agent asked for its own public address. */
  | ({ readonly event: 'check'; readonly name: string; readonly public: string } & CheckResult)
  /** The session is over for good: replaced or revoked. */
  | ({ readonly event: 'ended'; readonly code: Code } & Told)
  | { readonly event: 'reloaded'; readonly tunnels: number }
  | ({ readonly event: 'config_refused' } & Told)

/**
 * What failed of the public address, or `ok`. `skipped`: it could not be measured from here, and `blocked`: the tunnel's
 * own rules keep this machine out; neither proves anything.
 */
export type CheckFailure = 'name' | 'address' | 'port' | 'certificate' | 'answer' | 'skipped' | 'blocked'
export interface CheckResult {
  readonly ok: boolean
  readonly failed?: CheckFailure
  /** Host names resolved to, or what the far side said: for the message. */
  readonly detail?: string
}

/** Only for the terminal: not part of `--json`. */
export type ShownEvent =
  | AgentEvent
  | ({ readonly event: 'request'; readonly name: string } & Omit<RequestSummary, 'type' | 'service'>)
  /** A tunnel has been asked for; the answer follows. */
  | { readonly event: 'asking'; readonly name: string; readonly target: string }
  /** The round trip to the edge has changed. */
  | { readonly event: 'link'; readonly edge: string; readonly rtt_ms: number }
  | {
      readonly event: 'traffic'
      readonly name: string
      readonly total: number
      readonly open: number
      readonly received: number
      readonly sent: number
      readonly dropped: number
    }
