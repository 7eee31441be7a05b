/** What a running edge reports, in the order of happening. contract.md, "Events with --json" */
export type EdgeEvent =
  | ReadyEvent
  | { readonly event: 'agent_online'; readonly agent: string; readonly session: string; readonly remote: string }
  | { readonly event: 'agent_offline'; readonly agent: string; readonly session: string; readonly code: string }
  | {
      readonly event: 'agent_resumed'
      readonly agent: string
      readonly session: string
      readonly away_ms: number
      readonly streams: number
    }
  | TunnelEvent

export interface ReadyEvent {
  readonly event: 'ready'
  /** Real addresses, port 0 replaced; `off` where nothing listens. */
  readonly http: string
  readonly https: string
  readonly carrier: string
  readonly admin: string
  readonly domain: string
  readonly version: string
}

export interface TunnelEvent {
  readonly event: 'tunnel_open' | 'tunnel_closed'
  readonly agent: string
  readonly name: string
  readonly protocol: string
  readonly public: string
}
