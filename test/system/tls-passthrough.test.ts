import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import t from 'tap'
import { run } from '../support/command.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

t.test('tls:// carries a service with its own certificate', { skip: without('openssl', 'curl') }, async (t) => {
  const here = await world(t)
  const [key, cert] = [here.folder('own.key'), here.folder('own.crt')]
  const subject = ['-subj', '/CN=own', '-addext', `subjectAltName=DNS:${here.host('own')}`]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const made = await run(['openssl', 'req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject])
  t.equal(made.code, 0, made.stderr)
  const body = 'x'.repeat(1024 * 1024)
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    request.resume().on('end', () => response.end(`${request.headers.host} ${body}`))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  await here.join('home')
  const { tunnel } = await here.publish('home', `tls://${(server.address() as { port: number }).port}`, '--name', 'own')
  const port = here.https.replace(/.*:/, '')
  t.match(tunnel, { protocol: 'tls', public: `${here.host('own')}:${port}` })
  const url = `https://${here.host('own')}:${port}/`
  const resolve = ['--noproxy', '*', '--resolve', `${here.host('own')}:${port}:127.0.0.1`]
  const got = await run(['curl', '--silent', '--show-error', ...resolve, '--cacert', cert, url])
  t.equal(got.code, 0, got.stderr)
  t.ok(got.stdout === `${here.host('own')}:${port} ${body}`)
  const plain = await run(here.curl('own', '/', '--include'))
  t.match(plain.stdout, /^HTTP\/1.1 404 /, 'nothing of it over plain HTTP')
  const nobody = ['--noproxy', '*', '--resolve', `${here.host('nobody')}:${port}:127.0.0.1`]
  const unknown = await run(['curl', '--silent', '--show-error', ...nobody, `https://${here.host('nobody')}:${port}/`])
  t.equal(unknown.code, 35)
  t.match(unknown.stderr, /unrecognized name/i)
})
