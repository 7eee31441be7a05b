import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../../packages/edge/test/support/ports.ts'
import { seeded, seededHash } from '../../support/bytes.ts'
import { run, runHashed } from '../../support/command.ts'
import { without } from '../../support/tools.ts'
import { world } from '../../support/world.ts'

const BYTES = 4 * 1024 * 1024
const PASSIVE_PORTS = 8

const SERVER = `
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
authorizer = DummyAuthorizer()
authorizer.add_anonymous(sys.argv[1], perm='elrw')
FTPHandler.authorizer = authorizer
FTPHandler.passive_ports = range(int(sys.argv[2]) + 1, int(sys.argv[2]) + 1 + ${PASSIVE_PORTS})
# As behind any router: what it tells in PASV is the public address.
FTPHandler.masquerade_address = '127.0.0.1'
FTPHandler.permit_foreign_addresses = True
FTPServer(('127.0.0.2', int(sys.argv[2])), FTPHandler).serve_forever()
`

/** Debian's own: it knows Debian's modules, whatever else is on the PATH. */
const PYTHON = '/usr/bin/python3'

async function withoutFtp(): Promise<string | false> {
  const missing = without('python3', 'curl')
  if (missing !== false) return missing
  const { code } = await run([PYTHON, '-c', 'import pyftpdlib'])
  return code !== 0 && without('pyftpdlib')
}

t.test('an FTP server with its passive ports', { skip: await withoutFtp() }, async (t) => {
  const here = await world(t)
  const folder = here.folder('ftp')
  mkdirSync(folder)
  writeFileSync(join(folder, 'film'), Buffer.concat([...seeded('ftp', BYTES)]))
  // What the server names for data is to be reached under the same number.
  const control = await freePort(1 + PASSIVE_PORTS)
  const server = here.start('pyftpdlib', [PYTHON, '-c', SERVER, folder, `${control}`])
  await server.untilLogged(/starting FTP server/)
  await here.join('home')
  // The server's address is another one of this machine, so that both sides can have the same numbers.
  const range = `${control}-${control + PASSIVE_PORTS}`
  const { tunnel } = await here.publish('home', `tcp://127.0.0.2:${range}`, '--name', 'ftp', '--port', range)
  t.match(tunnel.public, new RegExp(`:${range}$`))
  const url = `ftp://127.0.0.1:${control}`
  const curl = ['curl', '--silent', '--show-error', '--noproxy', '*'] as const
  for (const way of ['--ftp-pasv', '--disable-epsv']) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const got = await runHashed([...curl, way, `${url}/film`])
    t.same([got.code, got.sha256], [0, seededHash('ftp', BYTES)], got.stderr)
  }
  const put = await run([...curl, '--upload-file', '-', `${url}/up`], { input: 'from a visitor' })
  t.equal(put.code, 0, put.stderr)
  const listed = await run([...curl, '--list-only', `${url}/`])
  t.same(listed.stdout.trim().split(/\s+/).toSorted(), ['film', 'up'], listed.stderr)
  t.equal((await run([...curl, `${url}/up`])).stdout, 'from a visitor')
})
