import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { joinEdge } from '@engawa/agent/join'
import t, { type Test } from 'tap'
import { SmallEdge } from './support/edge.ts'
import { temporaryFolder } from './support/folder.ts'
import { PATIENCE } from './support/patience.ts'
import { AgentProcess, runAgent } from './support/process.ts'

async function world(t: Test) {
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  await joinEdge(folder, edge.joinLine)
  const agent = (...args: string[]): AgentProcess => new AgentProcess(t, [...args, '--data', folder])
  const ask = (...args: string[]) => agent(...args).exited
  return { edge, folder, agent, ask }
}

t.test('a second expose registers with the first, and takes over when that is killed', async (t) => {
  const { edge, agent, ask } = await world(t)
  const first = agent('expose', '8080', '--json')
  t.equal((await first.event('tunnel'))['name'], 'home')
  const second = agent('expose', '9090', 'tcp://22', '--json')
  await second.event('connected')
  t.equal((await second.event('tunnel'))['name'], 'home-9090')
  t.equal(edge.logins, 1, 'one session for both')
  const listed = await ask('ls', '--json')
  t.same(
    listed.out.split('\n').map((line) => (JSON.parse(line) as { name: string }).name),
    ['home', 'home-9090', 'home-22'],
  )
  const from = second.lines.length
  const killedAt = performance.now()
  first.child.kill('SIGKILL')
  await second.event('connected', from)
  t.ok(performance.now() - killedAt < 3000 * PATIENCE, 'soon')
  t.equal((await second.event('tunnel', from))['name'], 'home-9090')
  t.equal(edge.logins, 2)
  second.child.kill('SIGTERM')
  t.equal((await second.exited).code, 0)
})

t.test('the tunnels of a further expose vanish with it', async (t) => {
  const { edge, agent } = await world(t)
  const first = agent('expose', '8080', '--json')
  await first.event('tunnel')
  const second = agent('expose', '9090', '--json')
  await second.event('tunnel')
  const unbound = new Promise((resolve) =>
    edge.on('message', (message) => message.type === 'unbind' && resolve(message)),
  )
  second.child.kill('SIGKILL')
  t.match(await unbound, { type: 'unbind', service: 2 })
})

t.test('rm, release, status and leave speak to the one that runs', async (t) => {
  const { edge, agent, ask } = await world(t)
  t.equal((await ask('status')).code, 4, 'nothing runs yet')
  const first = agent('expose', '8080', '9090', '--json')
  await first.event('tunnel')
  const status = await ask('status', '--json')
  t.equal(status.code, 0, status.err)
  t.match(JSON.parse(status.out), { agent: 'home', link: 'online', pid: first.child.pid, carriers: [{ carrier: 1 }] })
  t.equal((await ask('rm', 'home')).code, 0)
  t.equal((await first.event('removed'))['name'], 'home')
  t.equal((await ask('rm', 'home')).code, 1)
  t.equal((await ask('release', 'home-9090')).code, 0)
  t.ok(edge.messages.some((message) => message.type === 'release' && message.name === 'home-9090'))
  t.equal((await ask('leave')).code, 0)
  t.equal((await first.exited).code, 0)
  t.equal((await ask('expose', '8080')).code, 2, 'not joined any more')
})

t.test('up says what it waits for where nothing is listed, and publishes what comes', async (t) => {
  const { folder, agent } = await world(t)
  const file = join(folder, 'agent.yaml')
  writeFileSync(file, 'tunnels: []\n')
  const up = agent('up')
  await up.line((line) => line.includes(`${file} lists no tunnels`) && line.includes('{ target: 8080 }'))
  await up.line((line) => line.startsWith('connected to'))
  writeFileSync(file, 'tunnels: [{ target: 8080 }]\n')
  await up.line((line) => line.endsWith('-> http://127.0.0.1:8080'))
  const from = up.lines.length
  writeFileSync(file, '')
  await up.line((line) => line.includes('lists no tunnels'), from)
  up.child.kill('SIGTERM')
  t.equal((await up.exited).code, 0)
  const japanese = agent('up', '--lang', 'ja')
  await japanese.line((line) => line.includes(`${file} の tunnels が空で`))
})

t.test('release and leave reach the edge by themselves when nothing runs', async (t) => {
  const { edge, ask } = await world(t)
  t.equal((await ask('release', 'blog')).code, 0)
  t.equal((await ask('leave')).code, 0)
  t.same(
    edge.messages.map(({ type }) => type),
    ['release', 'leave'],
  )
})

t.test('every target refused ends it with 3, one of two does not', async (t) => {
  const { edge, agent } = await world(t)
  const answer = edge.answer
  edge.answer = (bind) =>
    bind.name === 'home'
      ? { type: 'refused', service: bind.service, code: 'NAME_TAKEN', message: 'taken' }
      : answer(bind)
  const both = agent('expose', '8080', '9090', '--json')
  t.match(await both.event('refused'), { name: 'home', code: 'NAME_TAKEN' })
  await both.event('tunnel')
  both.child.kill('SIGTERM')
  t.equal((await both.exited).code, 0)
  t.equal((await agent('expose', '8080', '--name', 'home').exited).code, 3)
})

t.test('up follows its file, and keeps the old one when the new one is wrong', async (t) => {
  const { folder, agent } = await world(t)
  const file = join(folder, 'agent.yaml')
  // At once, as an editor would: who reads between truncating and writing sees an empty file.
  const write = (yaml: string): void => {
    writeFileSync(`${file}.new`, yaml)
    renameSync(`${file}.new`, file)
  }
  write('tunnels:\n  - { target: 8080, name: one }\n')
  const up = agent('up', '--json')
  t.equal((await up.event('tunnel'))['name'], 'one')
  let from = up.lines.length
  write('tunnels:\n  - { target: 99999 }\n')
  t.match((await up.event('config_refused', from))['message'], `${file}:2:7 tunnels[0].target`)
  from = up.lines.length
  write('tunnels:\n  - { target: 8080, name: one }\n  - { target: 9090, name: two }\n')
  t.equal((await up.event('tunnel', from))['name'], 'two')
  from = up.lines.length
  write('tunnels:\n  - { target: 9090, name: two }\n')
  t.equal((await up.event('removed', from))['name'], 'one')
  t.match(readFileSync(file, 'utf8'), 'two')
  up.child.kill('SIGTERM')
  t.equal((await up.exited).code, 0)
})

t.test('a joined folder is not joined again; a used invitation exits 3', async (t) => {
  const { edge, ask } = await world(t)
  t.match(await ask('join', edge.joinLine), { code: 2, err: /agent home already/ })
  edge.refuses.join = 'INVITATION_USED'
  const other = await runAgent(t, ['join', edge.joinLine, '--data', join(temporaryFolder(t), 'other')])
  t.match(other, { code: 3, err: /used already/ })
})

t.test('an edge that cannot be reached exits 4 and says why', async (t) => {
  const edge = await SmallEdge.start(t)
  const line = edge.joinLine
  await edge.die()
  const ran = await runAgent(t, ['join', line, '--data', join(temporaryFolder(t), 'data')])
  t.match(ran, { code: 4, err: /connection refused/ })
})

t.test('two targets of different fate, in plain words', async (t) => {
  const { agent } = await world(t)
  // Where nobody listens, whatever else runs on this machine.
  const plain = agent('expose', '1')
  await plain.line((line) => line.startsWith('http://home.localhost:1 -> http://127.0.0.1:1'))
  await plain.line((line) => line.includes('nothing answers at http://127.0.0.1:1 yet'))
})

t.test('an edge that speaks in escape sequences paints no terminal', async (t) => {
  const evil = '\u001b[2J\u009b31m'
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  edge.agent = `home${evil}`
  const named = await runAgent(t, ['join', edge.joinLine, '--data', folder])
  t.not(named.code, 0)
  t.notOk(['\u001b', '\u009b'].some((control) => (named.err + named.out).includes(control)))
  edge.agent = 'home'
  edge.refuses.join = 'REPLACED'
  edge.refusal = evil
  const refused = await runAgent(t, ['join', edge.joinLine, '--data', folder])
  t.not(refused.code, 0)
  t.match(refused.err, /\\u001b\[2J\\u009b31m/)
  t.notOk(['\u001b', '\u009b'].some((control) => refused.err.includes(control)))
})
