import { appendFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { SmallEdge } from '../support/edge.ts'
import { temporaryFolder } from '../support/folder.ts'
import { AgentProcess, runAgent } from '../support/process.ts'

t.test('agent service: what it cannot do it says, and nothing is written', async (t) => {
  const folder = temporaryFolder(t)
  const rows: [string[], number, RegExp][] = [
    [['service'], 2, /ACTION/],
    [['service', 'start'], 2, /"start".*install, uninstall, status/],
    [['service', 'install', 'now'], 2, /now/],
    [['service', 'install', '--data', folder], 2, /has not joined/],
    [['service', 'install', '--data', folder, '--lang', 'ja'], 2, /まだエッジに参加していません/],
  ]
  for (const [words, code, said] of rows) {
    // oxlint-disable-next-line no-await-in-loop -- one process after the other
    const { code: exit, err } = await runAgent(t, words)
    t.equal(exit, code, words.join(' '))
    t.match(err, said, words.join(' '))
  }
})

t.test('agent service: without systemd it says so', async (t) => {
  const agent = new AgentProcess(t, ['service', 'status'], { PATH: '/nonexistent' })
  const { code, err } = await agent.exited
  t.equal(code, 1)
  t.match(err, /^agent: systemctl show .* failed: systemctl: not found\n$/)
})

t.test('agent.yaml may be a link, as the package makes one: a change of what it leads to applies', async (t) => {
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  const elsewhere = join(temporaryFolder(t), 'etc')
  mkdirSync(elsewhere)
  const file = join(elsewhere, 'agent.yaml')
  writeFileSync(file, 'tunnels: []\n')
  t.equal((await runAgent(t, ['join', edge.joinLine, '--data', folder])).code, 0)
  symlinkSync(file, join(folder, 'agent.yaml'))
  const up = new AgentProcess(t, ['up', '--json', '--data', folder])
  await up.event('connected')
  appendFileSync(file, '# nothing new\n')
  t.match(await up.event('reloaded'), { tunnels: 0 })
  // As editors write: a new file in the old one's place.
  writeFileSync(`${file}.new`, 'tunnels: [{ target: 8080, name: blog }]\n')
  renameSync(`${file}.new`, file)
  t.match(await up.event('tunnel'), { name: 'blog' })
})
