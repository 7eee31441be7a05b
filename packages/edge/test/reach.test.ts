import { dialHosts, effective, type OwnAddress, reachOf } from '@engawa/edge/reach'
import t from 'tap'

const settings = { domain: 'localhost', publicHosts: [] }
const on = (...addresses: string[]) => addresses.map((address) => ({ interface: 'eth0', address }))

function found(given: Partial<Parameters<typeof dialHosts>[0]>, listens: string, own: readonly OwnAddress[]) {
  const all = { ...settings, ...given }
  return effective(all.domain, dialHosts(all, listens, own), 443)
}

t.test('what is given wins', async (t) => {
  const publicHosts = [
    { host: 'edge.example.com', port: undefined },
    { host: '2001:db8::1', port: 7443 },
  ]
  t.strictSame(found({ publicHosts }, '', on('10.0.0.5')), {
    domain: 'localhost',
    addresses: ['edge.example.com:443', '[2001:db8::1]:7443'],
    reach: 'public',
  })
})

t.test('then the domain', async (t) => {
  const { addresses, reach } = found({ domain: 'example.com' }, '', on('10.0.0.5'))
  t.strictSame([addresses, reach], [['example.com:443'], 'public'])
})

t.test('then global addresses, IPv6 first, without private ones', async (t) => {
  const { addresses, reach } = found({}, '', on('10.0.0.5', '198.51.100.7', '2606:4700::1', 'fe80::1'))
  t.strictSame([addresses, reach], [['[2606:4700::1]:443', '198.51.100.7:443'], 'public'])
})

t.test('then private ones, but for those of containers', async (t) => {
  const own = [...on('192.168.1.9', '100.64.3.4', 'fd00::9'), { interface: 'docker0', address: '172.17.0.1' }]
  const { addresses, reach } = found({}, '', own)
  t.strictSame([addresses, reach], [['[fd00::9]:443', '192.168.1.9:443', '100.64.3.4:443'], 'private'])
})

t.test('then this machine alone', async (t) => {
  t.strictSame(found({}, '', []), { domain: 'localhost', addresses: ['127.0.0.1:443'], reach: 'local' })
  const only = found({}, '127.0.0.1', on('198.51.100.7'))
  t.strictSame([only.addresses, only.reach], [['127.0.0.1:443'], 'local'])
})

t.test('kinds of hosts', async (t) => {
  t.equal(reachOf('example.com'), 'public')
  t.equal(reachOf('blog.localhost'), 'local')
  t.equal(reachOf('::1'), 'local')
  t.equal(reachOf('169.254.1.1'), 'private')
})
