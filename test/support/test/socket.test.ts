import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { freePort } from '../../../packages/edge/test/support/ports.ts'
import { fate } from '../socket.ts'

/** A server of its own process, that what this one does not look at happens nevertheless. */
async function server(t: Test, welcome: string): Promise<{ port: number; child: ChildProcessWithoutNullStreams }> {
  const program = `
    const server = require('node:net').createServer(${welcome}).listen(0, '127.0.0.1', () =>
      console.log(server.address().port))`
  const child = spawn(process.execPath, ['-e', program])
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { port: Number(String(line)), child }
}

/** Once what is under way was begun; what comes of it is not looked at for so long. */
function block(ms: number): void {
  process.nextTick(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms))
}

t.test('fate: cut off at once, before the connection was looked at', async (t) => {
  const { port } = await server(t, '(socket) => socket.resetAndDestroy()')
  const how = fate(port)
  block(300)
  t.equal(await how, 'reset')
})

t.test('fate: cut off later, ended, never accepted', async (t) => {
  const later = "console.log('came'); process.stdin.once('data', () => socket.resetAndDestroy())"
  const { port, child } = await server(t, `(socket) => { ${later} }`)
  const how = fate(port)
  await once(child.stdout, 'data')
  child.stdin.write('now')
  t.equal(await how, 'reset')
  const ending = await server(t, '(socket) => socket.end("x")')
  t.equal(await fate(ending.port), 'end')
  await t.rejects(fate(await freePort()), { code: 'ECONNREFUSED' })
})
