import { once } from 'node:events'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LateServer } from '@engawa/edge/admin/late'
import { adminServer } from '@engawa/edge/admin/server'
import { createLog } from '@engawa/edge/log'
import t, { type Test } from 'tap'
import { paperOffice } from './office.ts'

const office = paperOffice()

/** What listens, and what it wrote into its log. `load` fails as often as `failures` says. */
async function serving(
  t: Test,
  failures: number,
): Promise<{ ask: () => Promise<number | undefined>; logged: string[]; loads: () => number }> {
  const logged: string[] = []
  const log = createLog('error', (line) => logged.push(line))
  let loads = 0
  const late = new LateServer(async (listen) => {
    loads++
    const app = await adminServer(office, log, { listen })
    if (loads <= failures) throw new Error('no memory for it')
    return app
  }, log)
  late.server.listen(0, '127.0.0.1')
  await once(late.server, 'listening')
  t.teardown(() => late.close())
  const { port } = late.server.address() as AddressInfo
  const ask = (): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const asking = request({ host: '127.0.0.1', port, path: '/api/health', agent: false }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
      asking.on('error', reject)
      asking.end()
    })
  return { ask, logged, loads: () => loads }
}

t.test('what answers is loaded once, at the first question', async (t) => {
  const { ask, loads } = await serving(t, 0)
  t.equal(loads(), 0)
  t.same(await Promise.all([ask(), ask()]), [200, 200])
  t.equal(await ask(), 200)
  t.equal(loads(), 1)
})

t.test('a question after a load that failed tries again', async (t) => {
  const { ask, logged, loads } = await serving(t, 1)
  t.equal(await ask(), 500)
  t.match(logged.join(''), /the admin API cannot be loaded.*no memory for it|no memory for it.*cannot be loaded/s)
  t.equal(await ask(), 200)
  t.equal(loads(), 2)
})

t.test('a server whose load has failed closes', async (t) => {
  const { ask } = await serving(t, 1)
  t.equal(await ask(), 500)
})
