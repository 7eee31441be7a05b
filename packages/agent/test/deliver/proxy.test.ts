import { ownHeader, proxyHeader } from '@engawa/agent/deliver/proxy'
import { endpoint, NOWHERE, type Opening } from '@engawa/shared/wire/opening'
import t from 'tap'

const SIGNATURE = '0d0a0d0a000d0a515549540a'

function opening(visitor: string, asked: string, protocol: Opening['protocol'] = 'tcp'): Opening {
  return { service: 1, portIndex: 0, protocol, visitor: endpoint(visitor, 50_000), public: endpoint(asked, 443) }
}

const text = (one: Opening): string => proxyHeader('v1', one).toString()
const hex = (one: Opening): string => proxyHeader('v2', one).toString('hex')

t.test('v1 is a line of text', async (t) => {
  t.equal(text(opening('192.0.2.7', '203.0.113.5')), 'PROXY TCP4 192.0.2.7 203.0.113.5 50000 443\r\n')
  t.equal(text(opening('2001:db8::7', '2001:db8::5')), 'PROXY TCP6 2001:db8::7 2001:db8::5 50000 443\r\n')
  t.equal(text(opening('::ffff:192.0.2.7', '203.0.113.5')), 'PROXY TCP4 192.0.2.7 203.0.113.5 50000 443\r\n')
  t.equal(text({ ...opening('192.0.2.7', '203.0.113.5'), visitor: NOWHERE }), 'PROXY UNKNOWN\r\n')
})

t.test('v2 is binary', async (t) => {
  t.equal(hex(opening('192.0.2.7', '203.0.113.5')), `${SIGNATURE}2111000cc0000207cb007105c35001bb`)
  t.equal(hex(opening('192.0.2.7', '203.0.113.5', 'udp')), `${SIGNATURE}2112000cc0000207cb007105c35001bb`)
  const [seven, five] = ['20010db8000000000000000000000007', '20010db8000000000000000000000005']
  t.equal(hex(opening('2001:db8::7', '2001:db8::5')), `${SIGNATURE}21210024${seven}${five}c35001bb`)
  t.equal(hex(opening('::1', '1:2:3:4:5:6:7:8')).slice(32, 96), `${'0'.repeat(31)}100010002000300040005000600070008`)
  t.equal(hex({ ...opening('192.0.2.7', '203.0.113.5'), public: NOWHERE }), `${SIGNATURE}20000000`)
})

t.test('the agent says that a connection is its own', async (t) => {
  t.equal(ownHeader('v1').toString(), 'PROXY UNKNOWN\r\n')
  t.equal(ownHeader('v2').toString('hex'), `${SIGNATURE}20000000`)
})
