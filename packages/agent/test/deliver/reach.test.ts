import { symlinkSync, writeFileSync } from 'node:fs'
import { Reach } from '@engawa/agent/deliver/reach'
import { refusalOf } from '@engawa/agent/deliver/refusal'
import { parseWish } from '@engawa/agent/wish'
import t from 'tap'
import { temporaryFolder } from '../support/folder.ts'

const ALLOWED = [
  '127.0.0.1',
  '::1',
  '192.168.0.1',
  '10.1.2.3',
  '203.0.113.7',
  '2001:db8::1',
  'fd00::1',
  '::ffff:10.0.0.1',
  '64:ff9b::c000:201',
  '2002:cb00:7107::1',
]
const DENIED = [
  '169.254.169.254',
  '169.254.0.1',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  'fe80::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  '100.100.100.200',
  '168.63.129.16',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::169.254.169.254',
  '64:ff9b:1::a9fe:a9fe',
  '::169.254.169.254',
  '::ffff:0:169.254.169.254',
  '2002:a9fe:a9fe::1',
  '2001:0:5ef5:79fd:0:0:5601:5601',
  '64:ff9b::6464:64c8',
  '0.0.0.0',
  '::',
  '224.0.0.1',
  'ff02::1',
  'nonsense',
  '',
]

t.test('what may be reached', async (t) => {
  for (const address of ALLOWED) t.ok(new Reach().allows(address), address)
  for (const address of DENIED) t.notOk(new Reach().allows(address), address)
})

t.test('--reach opens its network alone', async (t) => {
  const reach = new Reach(['169.254.10.0/24', 'fe80::/64'])
  t.ok(reach.allows('169.254.10.9'))
  t.ok(reach.allows('::ffff:169.254.10.9'))
  t.ok(reach.allows('fe80::1%eth0'))
  t.ok(reach.allows('64:ff9b::169.254.10.9'))
  t.ok(new Reach(['64:ff9b::/96']).allows('64:ff9b::169.254.169.254'))
  t.notOk(reach.allows('169.254.169.254'))
  t.notOk(reach.allows('fe80:0:0:1::1'))
})

t.test('control sockets are never published, by whatever way they are named', async (t) => {
  const folder = temporaryFolder(t)
  writeFileSync(`${folder}/agent.sock`, '')
  symlinkSync(`${folder}/agent.sock`, `${folder}/other.sock`)
  const refused = (target: string): string | undefined => refusalOf(parseWish({ target }), { folder })?.code
  t.equal(refused(`unix:${folder}/agent.sock`), 'REACH_DENIED')
  t.equal(refused(`unix:${folder}/../${folder.split('/').at(-1)}/agent.sock`), 'REACH_DENIED')
  t.equal(refused(`tcp+unix:${folder}/other.sock`), 'REACH_DENIED')
  t.equal(refused('unix:/var/lib/engawa/edge/admin.sock'), 'REACH_DENIED')
  t.equal(refused(`unix:${folder}/app.sock`), undefined)
})

t.test('the agent’s own --admin is published where --reach names it, and not otherwise', async (t) => {
  const folder = temporaryFolder(t)
  const refused = (target: string, host: string, reach: string[] = []): string | undefined =>
    refusalOf(parseWish({ target, reach }), { folder, admin: { host, port: 9100 } })?.code
  for (const target of ['9100', 'tcp://127.0.0.1:9100', 'tcp://localhost:9099-9101', 'tcp://[::1]:9100'])
    t.equal(refused(target, ''), 'REACH_DENIED', target)
  t.equal(refused('tcp://[::ffff:127.0.0.1]:9100', '127.0.0.1'), 'REACH_DENIED')
  t.equal(refused('9101', ''), undefined)
  t.equal(refused('tcp://192.0.2.9:9100', ''), undefined, 'another machine')
  t.equal(refused('9100', '192.0.2.9'), undefined, 'another address')
  t.equal(refused('9100', '', ['127.0.0.0/8']), undefined)
})
