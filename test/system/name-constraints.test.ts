import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { issueLeaf, readAuthority } from '@engawa/edge/identity/authority'
import { openVisitorsCa } from '@engawa/edge/identity/visitors-ca'
import { chromium } from 'playwright-core'
import t, { type Test } from 'tap'
import { PATIENCE_MS } from '../support/browser.ts'
import { run } from '../support/command.ts'
import { findTool, without } from '../support/tools.ts'

const DAY_MS = 86_400_000

/** Servers with certificates of the visitors' CA, one for a name that it may vouch for and one for another. Its own code refuses the latter: so that is signed with its key behind its back. */
async function servers(t: Test): Promise<{ folder: string; root: string; inside: number; outside: number }> {
  const folder = t.testdir()
  const ca = openVisitorsCa(folder, { domain: 'tunnel.test', addresses: [] }, new Date())
  t.throws(() => ca.issue(['bank.example'], new Date()), RangeError)
  const path = join(folder, 'visitors-ca.pem')
  const authority = readAuthority(path, readFileSync(path, 'utf8'))
  const root = join(folder, 'root.pem')
  writeFileSync(root, ca.certificate)
  const serve = async (host: string): Promise<number> => {
    const [from, to] = [new Date(Date.now() - DAY_MS), new Date(Date.now() + 30 * DAY_MS)]
    const server = createServer(issueLeaf(authority, { hosts: [host], from, to }), (_, response) => {
      response.setHeader('Content-Type', 'text/html')
      response.end('<title>let in</title>')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close().closeAllConnections())
    return (server.address() as AddressInfo).port
  }
  return { folder, root, inside: await serve('blog.tunnel.test'), outside: await serve('bank.example') }
}

t.test(
  'curl refuses a certificate of the visitors’ CA for a name outside its constraints',
  {
    skip: without('curl'),
  },
  async (t) => {
    const { root, inside, outside } = await servers(t)
    const ask = (host: string, port: number): ReturnType<typeof run> => {
      const way = ['--resolve', `${host}:${port}:127.0.0.1`, `https://${host}:${port}/`]
      return run(['curl', '--silent', '--show-error', '--noproxy', '*', '--cacert', root, ...way])
    }
    t.match(await ask('blog.tunnel.test', inside), { code: 0, stdout: /let in/ })
    t.match(await ask('bank.example', outside), { code: 60, stderr: /permitted subtree violation/ })
  },
)

t.test(
  'Chromium refuses it, too, though its owner has installed the CA',
  {
    skip: without('chromium', 'certutil'),
  },
  async (t) => {
    const { folder: home, root, inside, outside } = await servers(t)
    const store = join(home, '.pki/nssdb')
    mkdirSync(store, { recursive: true })
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    for (const command of [
      ['-N', '--empty-password'],
      ['-A', '-t', 'C,,', '-n', 'visitors', '-i', root],
    ])
      t.equal((await run(['certutil', '-d', `sql:${store}`, ...command])).code, 0)
    const browser = await chromium.launch({
      timeout: PATIENCE_MS,
      executablePath: findTool('chromium') ?? 'chromium',
      args: ['--no-sandbox', '--no-proxy-server', '--host-resolver-rules=MAP * 127.0.0.1'],
      env: { ...process.env, HOME: home },
    })
    t.teardown(() => browser.close())
    const page = await browser.newPage()
    page.setDefaultTimeout(PATIENCE_MS)
    await page.goto(`https://blog.tunnel.test:${inside}/`)
    t.equal(await page.title(), 'let in')
    await t.rejects(page.goto(`https://bank.example:${outside}/`), { message: /ERR_CERT_/ })
  },
)
