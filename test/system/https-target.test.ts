import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import t from 'tap'
import { run } from '../support/command.ts'
import { without } from '../support/tools.ts'
import { agentCommand, world } from '../support/world.ts'

t.test('an https:// service behind a tunnel', { skip: without('openssl', 'curl') }, async (t) => {
  const here = await world(t)
  const [key, cert] = [here.folder('nas.key'), here.folder('nas.crt')]
  const subject = ['-subj', '/CN=nas.test', '-addext', 'subjectAltName=DNS:nas.test,IP:127.0.0.1']
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const made = await run(['openssl', 'req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject])
  t.equal(made.code, 0, made.stderr)
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    const { host, 'x-forwarded-host': visited } = request.headers
    request.resume().on('end', () => response.end(`${host} for ${String(visited)}\n`))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const target = `https://127.0.0.1:${(server.address() as { port: number }).port}`
  await here.join('home')

  t.test('is refused while nobody vouches for its certificate', async (t) => {
    const agent = here.expose('home', target, '--name', 'strict')
    await agent.until('tunnel')
    t.match(await agent.until('service'), { reachable: false, code: 'SERVICE_CERTIFICATE' })
    t.match(await run(here.curl('strict', '/', '--include')), { stdout: /^HTTP\/1.1 502 .*SERVICE_CERTIFICATE/s })
    await agent.stop()
  })

  t.test('answers with --insecure-target, and hears the Host it was promised', async (t) => {
    const { agent } = await here.publish(
      'home',
      target,
      '--name',
      'nas',
      '--insecure-target',
      '--host-header',
      'nas.test',
    )
    t.match(await run(here.curl('nas', '/')), { stdout: `nas.test for ${here.host('nas')}\n` })
    const upload = ['--data-binary', `@${cert}`, '--header', 'Expect:']
    t.match(await run(here.curl('nas', '/', ...upload)), { stdout: `nas.test for ${here.host('nas')}\n` })
    await agent.stop()
  })

  t.test('answers once this machine trusts its certificate', async (t) => {
    const flags = ['expose', target, '--name', 'trusted', '--json', '--data', here.agentData('home')]
    const agent = here.start('agent home', agentCommand(...flags), { NODE_EXTRA_CA_CERTS: cert })
    await agent.until('tunnel')
    t.match(await run(here.curl('trusted', '/')), { stdout: `${here.host('trusted')} for ${here.host('trusted')}\n` })
  })
})
