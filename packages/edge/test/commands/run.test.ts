import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { joinHome, logIn } from '../support/home.ts'
import { PATIENCE } from '../support/patience.ts'
import { edge, type Serving, serve } from './edge-process.ts'

const ADDRESSES = ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--bind', '127.0.0.1']

const ignore = (): void => {}

function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'edge-run-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function serving(t: Test, data: string, ...more: string[]): Promise<Serving> {
  const running = serve(['--data', data, ...ADDRESSES, ...more])
  t.teardown(() => running.end('SIGKILL'))
  await running.event('ready')
  return running
}

/** A visitor on a TCP tunnel whose service never ends. */
async function visitor(t: Test, data: string) {
  const { out } = await edge(['invite', 'home', '--json', '--data', data])
  const agent = await logIn(await joinHome((JSON.parse(out) as { line: string }).line), (stream) => {
    stream.accept()
    stream.handler = { data: (bytes) => stream.write(bytes.slice()), end: ignore, reset: ignore, drain: ignore }
  })
  const bound = await agent.bind({ name: 'echo', protocol: 'tcp', target: 'tcp://22' })
  const [port = 0] = bound['ports'] as number[]
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  t.teardown(() => socket.destroy())
  socket.write('ping')
  await new Promise((resolve) => socket.once('data', resolve))
  return { agent, closed: new Promise((resolve) => socket.once('close', resolve)) }
}

t.test('it is ready, and a signal ends it with 0', async (t) => {
  const data = join(newFolder(t), 'data')
  const running = await serving(t, data)
  t.match(running.events, [{ event: 'ready', version: /^\d/ }])
  t.match(await edge(['status', '--data', data]), { exit: 0, err: '' })
  t.equal(await running.end('SIGINT'), 0)
  t.match(await edge(['status', '--data', data]), { exit: 4, out: '' })
})

t.test('a second process is refused with the pid of the first; kill -9 frees the folder', async (t) => {
  const data = join(newFolder(t), 'data')
  const running = await serving(t, data)
  const second = await edge(['run', '--data', data, ...ADDRESSES])
  t.equal(second.exit, 1)
  t.match(second.err, `process ${running.child.pid}`)
  const status = JSON.parse((await edge(['status', '--json', '--data', data])).out) as { pid: number }
  t.equal(status.pid, running.child.pid, 'as status names it')
  await running.end('SIGKILL')
  const again = await serving(t, data)
  t.equal(await again.end(), 0)
})

t.test('the first signal drains as long as it may', async (t) => {
  const data = join(newFolder(t), 'data')
  const running = await serving(t, data, '--drain', '1s')
  const { agent, closed } = await visitor(t, data)
  const before = performance.now()
  running.child.kill('SIGTERM')
  await agent.message('drain')
  await closed
  t.ok(performance.now() - before > 900, 'not before the second was over')
  t.match(await agent.ended, { code: 'SESSION_CLOSED' })
  t.equal(await running.ended, 0)
})

t.test('the second signal stops at once', async (t) => {
  const data = join(newFolder(t), 'data')
  const running = await serving(t, data, '--drain', '60s')
  const { agent, closed } = await visitor(t, data)
  running.child.kill('SIGTERM')
  await agent.message('drain')
  const before = performance.now()
  t.equal(await running.end('SIGINT'), 0)
  await closed
  t.ok(performance.now() - before < 5000 * PATIENCE, 'long before its drain is over')
})

t.test('a path too long for a socket still works', async (t) => {
  const data = join(newFolder(t), 'x'.repeat(100), 'data')
  const running = await serving(t, data)
  t.match(await edge(['status', '--json', '--data', data]), { exit: 0, out: /"serves":true/ })
  t.equal(await running.end(), 0)
})
