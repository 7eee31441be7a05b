import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { openVisitorsCa } from '@engawa/edge/identity/visitors-ca'
import t from 'tap'
import { handshake, PATIENCE, scene, withoutCa } from '../support/acme.ts'
import { run } from '../support/command.ts'
import { without } from '../support/tools.ts'
import { agentCommand } from '../support/world.ts'

const NAME = 'nas.tunnel.test'
const skip = withoutCa || without('dehydrated', 'openssl')

/** Who passes TLS through keeps the key at home, and so has an ACME client at home: dehydrated, which writes into a folder. */
t.test('HTTP-01 of a passed-through name reaches the agent that holds it', { skip }, async (t) => {
  // This client does not ask again when a nonce is refused.
  const { pebble, here } = await scene(t, { env: { PEBBLE_WFE_NONCEREJECT: '0' } })
  const own = openVisitorsCa(t.testdir(), { domain: 'tunnel.test', addresses: [] }, new Date()).issue(
    [NAME],
    new Date(),
  )
  const server = createServer(own, (_, response) => response.end('at home')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const web = here.folder('web')
  const challenges = join(web, '.well-known/acme-challenge')
  mkdirSync(challenges, { recursive: true })
  await here.join('home')
  const tunnels = [
    `  - { target: "tls://${(server.address() as AddressInfo).port}", name: nas }`,
    `  - { target: ${web}, name: nas-80, host: [${NAME}] }`,
  ]
  writeFileSync(join(here.agentData('home'), 'agent.yaml'), ['tunnels:', ...tunnels, ''].join('\n'))
  const agent = here.start('agent home', agentCommand('up', '--json', '--data', here.agentData('home')))
  // oxlint-disable-next-line no-await-in-loop -- in whatever order they come
  for (const wanted of ['nas', 'nas-80'])
    await agent.until(({ event, name }) => event === 'tunnel' && name === wanted, PATIENCE)

  const [config, issued] = [here.folder('dehydrated'), here.folder('issued')]
  const curl = `--cacert ${pebble.caFile} --noproxy *`
  writeFileSync(config, `CA=${pebble.directory}\nCURL_OPTS="${curl}"\nWELLKNOWN=${challenges}\n`)
  const flags = ['--cron', '--accept-terms', '--config', config, '--algo', 'prime256v1', '--out', issued]
  const { code, stdout, stderr } = await run(['dehydrated', ...flags, '--domain', NAME], PATIENCE)
  if (code !== 0) throw new Error([stdout, stderr, here.report()].join('\n'))
  const file = (name: string): Buffer => readFileSync(join(issued, NAME, name))
  server.setSecureContext({ key: file('privkey.pem'), cert: file('fullchain.pem') })
  const visitor = await handshake(here, { servername: NAME, ca: pebble.root })
  t.equal(visitor.getPeerCertificate().subjectaltname, `DNS:${NAME}`)
  visitor.destroy()

  const { certificates } = JSON.parse((await here.edgeDo('status', '--json')).stdout) as {
    certificates: { names: string[] }[]
  }
  t.same(
    certificates.map(({ names }) => names),
    [['tunnel.test'], ['nas-80.tunnel.test']],
    'the edge itself orders none for it',
  )
})
