import { formatAddress } from '@engawa/shared/addresses'
import type { AgentLink } from '../tunnel/attach.ts'
import type { CarrierReport } from './schemas.ts'

/** What the carriers of a session show at `now` (monotonic ms), each with the age of its last proof of life. */
export function carriersOf(link: Pick<AgentLink, 'carriers' | 'remoteOf'>, now: number): CarrierReport[] {
  return link.carriers.map((state) => {
    const remote = link.remoteOf(state.number)
    return {
      carrier: state.number,
      ...(remote !== undefined && remote.family !== 0 && { family: remote.family === 6 ? 'IPv6' : 'IPv4' }),
      remote: remote === undefined ? '' : formatAddress({ host: remote.address, port: remote.port }),
      ...(state.rttMs !== undefined && { rttMs: Math.round(state.rttMs * 10) / 10 }),
      inFlightBytes: state.inFlightBytes,
      resentBytes: state.resentBytes,
      heardMs: Math.max(0, Math.round(now - state.lastReadAt)),
      suspect: state.suspect,
    }
  })
}
