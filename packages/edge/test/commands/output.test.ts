import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { edge, serve } from './edge-process.ts'

const ADDRESSES = ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--bind', '127.0.0.1']

function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'edge-output-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The writing end of a pipe that nobody reads any more. */
function deserted(t: Test): number {
  const path = join(newFolder(t), 'pipe')
  execFileSync('sh', ['-c', 'mkfifo "$0"', path])
  const reader = openSync(path, 'r+')
  const writer = openSync(path, 'w')
  closeSync(reader)
  t.teardown(() => closeSync(writer))
  return writer
}

function full(t: Test): number {
  const file = openSync('/dev/full', 'w')
  t.teardown(() => closeSync(file))
  return file
}

t.test('an answer that cannot be written is a failure, in one line', async (t) => {
  const data = join(newFolder(t), 'data')
  const running = serve(['--data', data, ...ADDRESSES])
  t.teardown(() => running.end('SIGKILL'))
  await running.event('ready')
  for (const line of ['invite home', 'agents', 'status --json', 'ca', '--help']) {
    // oxlint-disable-next-line no-await-in-loop -- one edge, on a machine with little to spare
    const ended = await edge([...line.split(' '), '--data', data], { stdout: full(t) })
    t.match(ended, { exit: 1, err: /^edge: the disk is full: [^\n]*ENOSPC[^\n]*\n$/ }, line)
  }
  const said = await edge(['invite', 'home', '--data', data, '--lang', 'ja'], { stdout: full(t) })
  t.match(said, { exit: 1, err: /^edge: ディスクがいっぱい[^\n]*\n$/ })
  t.match(await edge(['agents', '--data', data], { stdout: deserted(t) }), { exit: 1, err: '' }, 'no word to `| head`')
})

t.test('an edge serves on where nobody can read what it says', async (t) => {
  const data = join(newFolder(t), 'data')
  const running = serve(['--data', data, ...ADDRESSES])
  t.teardown(() => running.end('SIGKILL'))
  await running.event('ready')
  running.child.stdout?.destroy()
  running.child.stderr?.destroy()
  t.match(await edge(['invite', 'home', '--data', data]), { exit: 0, out: /agent join engawa1:/ })
  t.match(await edge(['status', '--data', data]), { exit: 0 })
  t.equal(await running.end(), 0)
})
