import { AgentFigures } from '@engawa/agent/figures'
import type { Session } from '@engawa/shared/mux/session'
import t from 'tap'

/** As far as the figures look at a session. */
function session(resentBytes: number): Session & { figures: { resentBytes: number } } {
  const figures = { resentBytes, carriersLost: 1, framesDropped: 0, datagramsDropped: 2, streams: 0 }
  return { carriers: [], figures } as unknown as Session & { figures: { resentBytes: number } }
}

t.test('while the edge is upgraded both sessions count, and what one has counted outlives it', async (t) => {
  const sessions = [session(100), session(7)]
  const figures = new AgentFigures({
    session: () => sessions[0],
    sessions: () => sessions,
    away: () => false,
    tunnels: () => [],
  })
  const resent = async (): Promise<string> =>
    /^engawa_agent_resent_bytes_total (\d+)/m.exec(await figures.text())?.[1] ?? ''
  t.equal(await resent(), '107')
  figures.settle()
  sessions.pop()
  t.equal(await resent(), '107')
  Object.assign(sessions[0]?.figures ?? {}, { resentBytes: 150 })
  t.equal(await resent(), '157')
  t.match(await figures.text(), /^engawa_agent_carriers_lost_total 2$/m)
})
