import { once } from 'node:events'
import { request } from 'node:http'
import { hostname } from 'node:os'
import { startMetrics } from '@engawa/agent/control/metrics'
import { parseAddress } from '@engawa/shared/addresses'
import t from 'tap'

async function ask(address: string, headers: Record<string, string>, path = '/metrics'): Promise<number | undefined> {
  const { host, port } = parseAddress(address)
  const asking = request({ host, port, path, headers }).end()
  const [response] = await once(asking, 'response')
  response.resume()
  return response.statusCode as number
}

t.test('--admin answers a Prometheus, and no web page', async (t) => {
  const server = await startMetrics(parseAddress('127.0.0.1:0'), { metrics: async () => 'figures 1' })
  t.teardown(() => server.close())
  const { address } = server
  for (const host of [address, 'localhost:9100', '192.0.2.7', '[2001:db8::7]:9100', `${hostname()}:9100`])
    t.equal(await ask(address, { host }), 200, host)
  // A name that its owner has bound to this machine (DNS rebinding).
  for (const host of ['rebound.example.com', 'rebound.example.com:9100', 'a b'])
    t.equal(await ask(address, { host }), 403, host)
  t.equal(await ask(address, { origin: 'http://127.0.0.1' }), 403)
  t.equal(await ask(address, { 'sec-fetch-site': 'cross-site' }), 403)
  t.equal(await ask(address, {}, '/other'), 404)
})

t.test('figures that cannot be had are a 500, not the end of the agent', async (t) => {
  const failing = { metrics: () => Promise.reject(new Error('no')) }
  const server = await startMetrics(parseAddress('127.0.0.1:0'), failing)
  t.teardown(() => server.close())
  const { address } = server
  t.equal(await ask(address, {}), 500)
})
