import type { Stream } from '@engawa/shared/mux/events'
import t from 'tap'
import { Findings } from '../../src/tunnel/findings.ts'

// Findings know a stream by its identity alone.
function asked(findings: Findings, service: number): Stream {
  const stream = {} as Stream
  findings.asks(stream, service)
  return stream
}

t.test('what the last stream showed of a service is what counts', async (t) => {
  const findings = new Findings()
  t.equal(findings.of(1), undefined, 'nobody has asked')
  const first = asked(findings, 1)
  t.equal(findings.of(1), undefined, 'nobody was answered')
  findings.tried(first, undefined, 10)
  t.same(findings.of(1), { code: undefined, at: 10 })
  findings.tried(asked(findings, 1), 'SERVICE_REFUSED', 20)
  t.same(findings.of(1), { code: 'SERVICE_REFUSED', at: 20 })
  t.equal(findings.of(2), undefined, 'of another one nothing is known')
})

t.test('what says nothing of the way on is left out', async (t) => {
  const findings = new Findings()
  const stream = asked(findings, 1)
  findings.tried(stream, undefined, 10)
  for (const code of ['SERVICE_BROKE', 'STREAM_ABORTED', 'CANCELLED', 'AGENT_DRAINING'] as const) {
    findings.tried(stream, code, 20)
  }
  t.same(findings.of(1), { code: undefined, at: 10 })
  findings.tried({} as Stream, 'SERVICE_REFUSED', 30)
  t.same(findings.of(1), { code: undefined, at: 10 }, 'a stream of nobody')
})

t.test('an agent that names ever new services fills no memory', async (t) => {
  const findings = new Findings()
  for (let service = 0; service < 5000; service++) findings.tried(asked(findings, service), undefined, service)
  t.equal(findings.of(0), undefined)
  t.match(findings.of(4999), { at: 4999 })
})
