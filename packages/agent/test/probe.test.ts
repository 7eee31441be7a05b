import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import t, { type Test } from 'tap'
import { hasListener } from '../src/listeners.ts'
import { probe } from '../src/probe.ts'
import { parseWish } from '../src/wish.ts'

const skip = process.platform === 'linux' ? false : 'only Linux tells who listens'
const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

/** A service, and how many have visited it. */
async function service(t: Test, host: string): Promise<{ server: Server; port: number; visits: () => number }> {
  let visits = 0
  const server = createServer((socket) => {
    visits++
    socket.on('error', () => {}).destroy()
  })
  server.listen({ port: 0, host, ipv6Only: host === '::' })
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { server, port: (server.address() as AddressInfo).port, visits: () => visits }
}

t.test('who listens on this machine is seen without a visit', { skip }, async (t) => {
  for (const [host, target] of [
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '127.0.0.1'],
    ['127.0.0.9', '127.0.0.9'],
    ['::1', '[::1]'],
    ['::', '[::1]'],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await t.test(`at ${host}`, { skip: host.includes(':') && !hasIpv6 && 'no IPv6 here' }, async (t) => {
      const { server, port, visits } = await service(t, host)
      const wish = parseWish({ target: `tcp://${target}:${port}` })
      t.equal(await probe(wish), undefined)
      // Whoever had knocked would be ahead of this one.
      const visited = once(server, 'connection')
      connect(port, target.replace(/[[\]]/g, '')).on('error', () => {})
      await visited
      t.equal(visits(), 1)
      server.close()
      await once(server, 'close')
      // Any program may have got that number since, but hardly at this address.
      if (host === '127.0.0.9') t.equal(await probe(wish), 'SERVICE_REFUSED')
    })
  }
})

t.test('where it cannot be told, it is asked', { skip }, async (t) => {
  const { port, visits } = await service(t, '127.0.0.9')
  t.equal(await hasListener('127.0.0.1', port), false, 'another address')
  t.equal(await hasListener('192.0.2.1', port), false, 'another machine')
  t.equal(await hasListener('localhost', port), false, 'a name')
  t.equal(visits(), 0)
  const named = await service(t, '127.0.0.1')
  const visited = once(named.server, 'connection')
  t.equal(await probe(parseWish({ target: `tcp://localhost:${named.port}` })), undefined)
  await visited
  t.equal(named.visits(), 1)
})

t.test('a listener before whom others wait is asked: it may be stuck', { skip }, async (t) => {
  // Stopped while a visitor comes: nobody accepts.
  const stopped = spawn(process.execPath, [
    '-e',
    `const server = require('node:net').createServer().listen(0, '127.0.0.1', () => {
      require('node:fs').writeSync(1, String(server.address().port))
      process.kill(process.pid, 'SIGSTOP')
    })`,
  ])
  t.teardown(() => stopped.kill('SIGKILL'))
  const [text] = (await once(stopped.stdout, 'data')) as [Buffer]
  const visitor = connect(Number(text), '127.0.0.1')
  await once(visitor, 'connect')
  // Until it stands still it may have accepted that one.
  const more: Socket[] = []
  while (await hasListener('127.0.0.1', Number(text))) {
    const another = connect(Number(text), '127.0.0.1')
    more.push(another)
    await once(another, 'connect')
  }
  for (const socket of [visitor, ...more]) socket.destroy()
  t.pass('asked')
})
