import { Agent, get } from 'node:http'
import t from 'tap'
import { world } from '../support/world.ts'

t.test('one name: a service dies, an agent is killed, another drained, and no request fails', async (t) => {
  const here = await world(t)
  const [mortal, ...services] = await Promise.all(['mortal', 'left', 'right'].map((label) => here.services(label)))
  if (mortal === undefined) throw new Error('unreachable')
  const agents = []
  for (const [index, who] of ['one', 'two', 'three'].entries()) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await here.join(who, '--names', 'web')
    const target = String(services[index % 2]?.http)
    // oxlint-disable-next-line no-await-in-loop
    const { agent } = await here.publish(who, target, '--name', 'web', '--balance', '--health', 'http:/kilobyte')
    agents.push(agent)
  }
  // A second target of the third agent.
  await here.publish('three', String(mortal.http), '--name', 'web', '--balance', '--health', 'tcp')
  const visitors = new Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => visitors.destroy())
  const [host, port] = here.http.split(':')
  const by = new Map<string, number>()
  const failures: string[] = []
  const seen = { done: 0, stop: false }
  let asked = Promise.withResolvers<void>()
  const ask = (): Promise<void> =>
    new Promise((resolve) => {
      const headers = { host: here.host('web') }
      const request = get({ host, port, path: '/kilobyte', headers, agent: visitors }, (response) => {
        let bytes = 0
        response.on('data', (part: Buffer) => (bytes += part.length))
        response.on('error', (error) => failures.push(String(error)))
        response.on('close', () => {
          const label = String(response.headers['service-label'])
          by.set(label, (by.get(label) ?? 0) + 1)
          if (response.statusCode !== 200 || bytes !== 1024) failures.push(`${response.statusCode}, ${bytes} bytes`)
          seen.done++
          resolve()
        })
      })
      request.on('error', (error) => {
        failures.push(String(error))
        resolve()
      })
    })
  const load = Array.from({ length: 16 }, async () => {
    while (!seen.stop) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await ask()
      asked.resolve()
    }
  })
  const served = async (count: number): Promise<void> => {
    const wanted = seen.done + count
    while (seen.done < wanted && failures.length === 0) {
      asked = Promise.withResolvers()
      // oxlint-disable-next-line no-await-in-loop -- until so many more have been served
      await asked.promise
    }
  }
  await served(500)
  t.ok((by.get('mortal') ?? 0) > 0, 'it has its turns until it dies')
  await mortal.program.kill()
  await served(500)
  await agents[0]?.kill()
  await served(500)
  agents[1]?.signal('SIGTERM')
  await served(500)
  await agents[1]?.exited
  await served(200)
  seen.stop = true
  await Promise.all(load)
  t.same(failures, [])
  t.same([...by.keys()].toSorted(), ['left', 'mortal', 'right'])
  t.comment(`${seen.done} requests, ${failures.length} failed: ${JSON.stringify([...by])}`)
})
