import type { Office } from '@engawa/edge/admin/office'
import { EngawaError } from '@engawa/shared/errors'

/** An office that remembers what it was asked for. */
export function paperOffice(): Office & { calls: unknown[][] } {
  const calls: unknown[][] = []
  return {
    calls,
    agents: () => [{ name: 'home', state: 'online', carriers: 1, tunnels: 1, remote: '203.0.113.7:49152' }],
    tunnels: () => [],
    status: () => ({
      serves: true,
      draining: false,
      version: '0.1.0',
      pid: 1,
      started: '2026-01-01T00:00:00.000Z',
      uptimeMs: 1,
      generation: 1,
      domain: 'localhost',
      http: '127.0.0.1:8080',
      https: 'off',
      carrier: '127.0.0.1:7443',
      admin: 'off',
      data: '/tmp/edge',
      agents: { online: 1, known: 1 },
      links: [],
      tunnels: { live: 0, all: 0 },
      certificates: [],
      streams: 0,
      received: 0,
      sent: 0,
      memoryBytes: 1,
      generations: [
        { generation: 1, pid: 1, version: '0.1.0', state: 'serving', agents: 1, streams: 0, memoryBytes: 1 },
      ],
    }),
    metrics: async () => 'engawa_edge_sessions 0\n',
    reload() {
      calls.push(['reload'])
      return { applied: ['pages'], later: ['domain'] }
    },
    async upgrade() {
      calls.push(['upgrade'])
      return { generation: 2, pid: 2 }
    },
    invite(request) {
      calls.push(['invite', request])
      if (request.name === 'bad name') throw new EngawaError('NAME_INVALID', 'no name')
      const { name } = request
      return { name, line: 'agent join engawa1:x', expires: '', addresses: [], reach: 'local', replaces: false }
    },
    revoke(name) {
      calls.push(['revoke', name])
      if (name !== 'home') throw new EngawaError('AGENT_UNKNOWN', 'no such agent')
      return name
    },
    rename(from, to) {
      calls.push(['rename', from, to])
      if (to === 'taken') throw new EngawaError('NAME_TAKEN', 'taken')
      if (to === 'broken') throw new Error('secret detail')
      return to
    },
  }
}
