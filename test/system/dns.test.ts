import t from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { startDns } from '../support/pebble.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

t.test('edge dns prints the records, and names the wrong one', { skip: without('dnsmasq') }, async (t) => {
  const port = await freePort()
  const here = await world(t, { domain: 'tunnel.test', edgeFlags: ['--public-host', '127.0.0.1'] })
  const services = await here.services()
  await here.join('home', '--hosts', 'www.shop.test,old.shop.test')
  await here.publish(
    'home',
    String(services.http),
    '--name',
    'web',
    '--host',
    'www.shop.test',
    '--host',
    'old.shop.test',
  )
  await startDns(t, port, [
    '--address=/tunnel.test/203.0.113.5',
    '--address=/tunnel.test/2001:db8::5',
    '--address=/www.shop.test/203.0.113.5',
    '--address=/old.shop.test/198.51.100.7',
  ])
  const flags = ['--address', '203.0.113.5', '--address', '2001:db8::5', '--resolver', `127.0.0.1:${port}`]
  const { code, stdout, stderr } = await here.edgeDo('dns', ...flags)
  t.equal(code, 1, stderr)
  const lines = stdout.split('\n').map((line) => line.split(/ {2,}/))
  t.same(lines.slice(0, 9), [
    ['NAME', 'TYPE', 'VALUE', 'STATE'],
    ['tunnel.test', 'A', '203.0.113.5', 'right'],
    ['tunnel.test', 'AAAA', '2001:db8::5', 'right'],
    ['*.tunnel.test', 'A', '203.0.113.5', 'right'],
    ['*.tunnel.test', 'AAAA', '2001:db8::5', 'right'],
    ['www.shop.test', 'A', '203.0.113.5', 'right'],
    ['www.shop.test', 'AAAA', '2001:db8::5', 'not set (optional)'],
    ['old.shop.test', 'A', '203.0.113.5', 'WRONG: leads to 198.51.100.7'],
    ['old.shop.test', 'AAAA', '2001:db8::5', 'not set (optional)'],
  ])
  t.match(stdout, 'Not right: old.shop.test\n')
  const ja = await here.edgeDo('dns', ...flags, '--lang', 'ja')
  t.match(ja.stdout, /誤り: 198\.51\.100\.7 を指しています/)
  const [first] = (await here.edgeDo('dns', ...flags, '--json')).stdout.split('\n')
  t.match(JSON.parse(String(first)), { event: 'record', name: 'tunnel.test', type: 'A', state: 'right' })
})
