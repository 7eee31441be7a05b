import { formatAddress } from '@engawa/shared/addresses'
import type { EdgeEvent } from './events.ts'
import type { GateObserver } from './identity/sessions.ts'
import type { Logger } from './log.ts'
import type { AgentLink } from './tunnel/attach.ts'
import type { Tunnel } from './tunnel/tunnel.ts'

export interface Reporter extends GateObserver {
  readonly opened: (tunnel: Tunnel) => void
  readonly closed: (tunnel: Tunnel) => void
}

/** Turns what happens to sessions and tunnels into events and log lines. */
export function report(log: Logger, onEvent: (event: EdgeEvent) => void): Reporter {
  const tell = (event: EdgeEvent): void => {
    const { event: what, ...facts } = event
    log.info(facts, what)
    onEvent(event)
  }
  const tunnelEvent = (event: 'tunnel_open' | 'tunnel_closed', tunnel: Tunnel): void => {
    const { agent, name, protocol, public: address } = tunnel
    tell({ event, agent, name, protocol, public: address })
  }
  return {
    online: (link) => tell({ event: 'agent_online', agent: link.agent, session: link.session, remote: remoteOf(link) }),
    offline: (link, code) => tell({ event: 'agent_offline', agent: link.agent, session: link.session, code }),
    resumed: ({ agent, session }, awayMs, streams) =>
      tell({ event: 'agent_resumed', agent, session, away_ms: Math.round(awayMs), streams }),
    carrierLost: ({ agent, session }, carrier, left, why) =>
      log.info({ agent, session, carrier, left, why }, 'carrier_lost'),
    refused: ({ agent, session }, code) => log.info({ agent, session, code }, 'binding_refused'),
    failed: (agent, error) => log.error({ agent, err: error }, 'a fault of the edge'),
    opened: (tunnel) => tunnelEvent('tunnel_open', tunnel),
    closed: (tunnel) => tunnelEvent('tunnel_closed', tunnel),
  }
}

/** Where the agent's newest carrier comes from. */
export function remoteOf({ remote }: AgentLink): string {
  return remote === undefined ? '' : formatAddress({ host: remote.address, port: remote.port })
}
