import { execFileSync } from 'node:child_process'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { joinEdge } from '@engawa/agent/join'
import t, { type Test } from 'tap'
import { SmallEdge } from './support/edge.ts'
import { temporaryFolder } from './support/folder.ts'
import { AgentProcess, runAgent } from './support/process.ts'

/** The writing end of a pipe that nobody reads any more. */
function deserted(t: Test): number {
  const path = join(temporaryFolder(t), 'pipe')
  execFileSync('sh', ['-c', 'mkfifo "$0"', path])
  const reader = openSync(path, 'r+')
  const writer = openSync(path, 'w')
  closeSync(reader)
  t.teardown(() => closeSync(writer))
  return writer
}

async function joined(t: Test): Promise<string> {
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  await joinEdge(folder, edge.joinLine)
  return folder
}

t.test('an answer that cannot be written is a failure, in one line', async (t) => {
  const file = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(file))
  const folder = await joined(t)
  const running = new AgentProcess(t, ['expose', '8080', '--json', '--data', folder])
  await running.event('tunnel')
  for (const line of ['ls', 'status --json', '--version', 'up --help']) {
    const { exited } = new AgentProcess(t, [...line.split(' '), '--data', folder], {}, file)
    // oxlint-disable-next-line no-await-in-loop -- one after the other, on a machine with little to spare
    t.match(await exited, { code: 1, err: /^agent: the disk is full: [^\n]*ENOSPC[^\n]*\n$/ }, line)
  }
  const said = await new AgentProcess(t, ['ls', '--data', folder, '--lang', 'ja'], {}, file).exited
  t.match(said, { code: 1, err: /^agent: ディスクがいっぱい[^\n]*\n$/ })
  const unread = await new AgentProcess(t, ['ls', '--data', folder], {}, deserted(t)).exited
  t.match(unread, { code: 1, err: '' }, 'no word to `| head`')
})

t.test('expose ends as by a signal when nobody reads it any more; up serves on', async (t) => {
  const folder = await joined(t)
  const exposing = new AgentProcess(t, ['expose', '8080', '9090', '--json', '--data', folder])
  await exposing.line((line) => line.includes('"home-9090"'))
  exposing.child.stdout?.destroy()
  // Which expose would tell, if nothing else has happened before.
  await runAgent(t, ['rm', 'home', '--data', folder])
  t.match(await exposing.exited, { code: 0, err: '' })

  writeFileSync(join(folder, 'agent.yaml'), 'tunnels: [{ target: 8080 }, { target: 9090 }]\n')
  const up = new AgentProcess(t, ['up', '--json', '--data', folder])
  await up.line((line) => line.includes('"home-9090"'))
  up.child.stdout?.destroy()
  up.child.stderr?.destroy()
  t.match(await runAgent(t, ['rm', 'home', '--data', folder]), { code: 0 })
  t.match(await runAgent(t, ['ls', '--data', folder]), { code: 0, out: /home-9090/ })
  up.child.kill('SIGTERM')
  t.match(await up.exited, { code: 0 })
})
