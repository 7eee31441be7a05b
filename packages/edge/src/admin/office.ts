import type { AgentReport, InvitationReport, InvitationRequest, StatusReport, TunnelReport } from './schemas.ts'

/** What can be asked of a running edge. Each throws `EngawaError`. */
export interface Office {
  agents(): AgentReport[]
  /** NAME_INVALID, FLAG_INVALID. */
  invite(request: InvitationRequest): InvitationReport
  /** AGENT_UNKNOWN. Live sessions end at once; names and ports are free. */
  revoke(name: string): void
  /** AGENT_UNKNOWN, NAME_TAKEN, NAME_INVALID. Answers the name as it is now written. */
  rename(from: string, to: string): string
  tunnels(): TunnelReport[]
  status(): StatusReport
  /** For a Prometheus. */
  metrics(): Promise<string>
}
