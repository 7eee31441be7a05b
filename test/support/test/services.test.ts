import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { seededHash } from '../bytes.ts'
import { run, runHashed } from '../command.ts'
import { Program } from '../program.ts'
import { connect, read } from '../socket.ts'
import { without } from '../tools.ts'

async function services(t: { teardown: (end: () => Promise<void>) => unknown }): Promise<Record<string, unknown>> {
  const script = `${import.meta.dirname}/../services/serve.ts`
  const program = new Program({ name: 'services', command: [process.execPath, script, 'test'] })
  t.teardown(() => program.kill())
  return program.until('ready')
}

t.test('the bulk service sends what the seed says and hashes what it gets', async (t) => {
  const { bulk } = await services(t)
  const down = await connect(Number(bulk))
  down.write('get seed 300000\n')
  t.equal((await read(down)).length, 300_000)
  const up = await connect(Number(bulk))
  up.end('put\nhello')
  t.match((await read(up)).toString(), /^5 2cf24dba5fb0a30e/)
})

t.test('the web service streams, takes ranges, hashes, mirrors and echoes', { skip: without('curl') }, async (t) => {
  const { http } = await services(t)
  const url = `http://127.0.0.1:${Number(http)}`
  const whole = await runHashed(['curl', '-sS', `${url}/bytes?seed=a&size=1000000`])
  t.equal(whole.sha256, seededHash('a', 1_000_000))
  const part = await runHashed(['curl', '-sS', '-r', '1000-1999', `${url}/bytes?seed=a&size=1000000`])
  t.same([part.bytes, part.sha256], [1000, seededHash('a', 1000, 1000)])
  const posted = await run(['curl', '-sS', '-d', 'hello', `${url}/mirror`])
  t.equal(posted.stdout, 'hello')
  const asked = await run(['curl', '-sS', '-H', 'X-One: 1', `${url}/anything?x=y`])
  t.match(JSON.parse(asked.stdout), { label: 'test', method: 'GET', url: '/anything?x=y', headers: { 'x-one': '1' } })
  const socket = new WebSocket(url.replace('http', 'ws'))
  socket.on('open', () => socket.send('hi'))
  t.equal(String((await once(socket, 'message'))[0]), 'hi')
  socket.close()
  await once(socket, 'close')
})

t.test('the gate answers nobody before all are inside', async (t) => {
  const { http } = await services(t)
  const ask = async (id: number): Promise<string> =>
    (await fetch(`http://127.0.0.1:${Number(http)}/gate?name=g&of=3&id=${id}`)).text()
  const early = ask(1)
  const two = ask(2)
  let answered = false
  void early.then(() => {
    answered = true
    return answered
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(answered)
  const bodies = await Promise.all([early, two, ask(3)])
  t.same(
    bodies.map((body) => body.split(' ')[1]),
    ['1', '2', '3'],
  )
})

t.test('a wait that fails says what the program said', async (t) => {
  const program = new Program({
    name: 'dying',
    command: [process.execPath, '-e', 'console.log(`{"event":"hello"}`); console.error("alas"); process.exitCode = 7'],
  })
  t.teardown(() => program.kill())
  await t.rejects(program.until('never'), /dying: it ended with 7 before[\s\S]*hello[\s\S]*alas/)
})
