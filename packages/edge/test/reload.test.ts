import { edgeSettings } from '@engawa/edge/config'
import { adopt } from '@engawa/edge/reload'
import t from 'tap'

const read = (text: string) =>
  edgeSettings({ flags: {}, file: { path: 'edge.yaml', text }, language: 'en', mayBindLow: true })

t.test('what parts look up each time changes in place, all else is named', async (t) => {
  const settings = read('domain: a.example')
  const { limits } = settings
  const text = `
domain: b.example
trusted_proxies: [10.0.0.0/8]
tcp-ports: 20000-20009
drain: 5m
handover-drain: 1m
limits: { connections: 7, requestHeadMs: 5000, perAddress: { burst: 9 } }
`
  t.same(adopt(settings, read(text)), {
    applied: [
      'tcp-ports',
      'drain',
      'handover-drain',
      'trusted_proxies',
      'limits.connections',
      'limits.perAddress.burst',
    ],
    later: ['domain', 'limits.requestHeadMs'],
  })
  t.equal(settings.domain, 'a.example')
  t.same(settings.tcpPorts, [[20_000, 20_009]])
  t.same([settings.drainMs, settings.handOverDrainMs], [300_000, 60_000])
  t.same([limits.connections, limits.perAddress.burst, limits.requestHeadMs], [7, 9, 10_000], 'the same objects')
})

t.test('the same file changes nothing', async (t) => {
  t.same(adopt(read('domain: a.example'), read('domain: a.example')), { applied: [], later: [] })
})
