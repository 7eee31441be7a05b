import type { ReloadReport } from '../reload.ts'
import type {
  AgentReport,
  InvitationReport,
  InvitationRequest,
  StatusReport,
  TunnelReport,
  UpgradeReport,
} from './schemas.ts'

/** What can be asked of a running edge. Each throws `EngawaError`. */
export interface Office {
  agents(): AgentReport[] | Promise<AgentReport[]>
  /** NAME_INVALID, FLAG_INVALID. */
  invite(request: InvitationRequest): InvitationReport | Promise<InvitationReport>
  /** AGENT_UNKNOWN. Live sessions end at once; names and ports are free. Answers the name as it is written. */
  revoke(name: string): string | Promise<string>
  /** AGENT_UNKNOWN, NAME_TAKEN, NAME_INVALID. Answers the name as it is now written. */
  rename(from: string, to: string): string | Promise<string>
  tunnels(): TunnelReport[] | Promise<TunnelReport[]>
  status(): StatusReport | Promise<StatusReport>
  /** Reads the configuration again. CONFIG_INVALID: the old one stays in force. */
  reload(): ReloadReport | Promise<ReloadReport>
  /** Lets a new process of the installed file take over; what runs goes on. Throws what kept that one from serving. */
  upgrade(): Promise<UpgradeReport>
  /** For a Prometheus. */
  metrics(): Promise<string>
}
