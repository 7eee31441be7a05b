import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { openBrowser, PATIENCE_MS, selfSigned } from '../support/browser.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const DOMAIN = 'tunnel.test'

/** Answers with its name, to pages of its neighbours too, and lets them see how the answer came. */
function site(name: string): (request: IncomingMessage, response: ServerResponse) => void {
  return ({ headers }, response) => {
    response.setHeader('Access-Control-Allow-Origin', headers.origin ?? '*')
    response.setHeader('Access-Control-Allow-Credentials', 'true')
    response.setHeader('Timing-Allow-Origin', '*')
    response.setHeader('Content-Type', 'text/html')
    response.end(`<!doctype html><title>${name}</title>`)
  }
}

/** In a page: asks a neighbour; its title, and whether that came on a connection that was there before. */
function asking(url: string): string {
  return `fetch('${url}', { credentials: 'include' }).then((answer) => answer.text()).then((text) => {
    const [{ connectStart, connectEnd, nextHopProtocol }] = performance.getEntriesByName('${url}').slice(-1)
    return [/<title>(.*)</.exec(text)[1], nextHopProtocol, connectStart === connectEnd].join()
  })`
}

t.test(
  'Chromium, one wildcard certificate: HTTP tunnels share a connection, one passed through gets its own after 421',
  { skip: without('chromium', 'certutil', 'openssl') },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'engawa-wildcard-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
    const any = await selfSigned(folder, { file: 'any', host: `*.${DOMAIN}` })
    const own = await selfSigned(folder, { file: 'own', host: `own.${DOMAIN}` })
    const config = join(folder, 'edge.yaml')
    const files = `{ name: "*.${DOMAIN}", cert: ${any.cert}, key: ${any.key} }`
    writeFileSync(config, `access_log: { file: access.log }\ntls: { files: [${files}] }\n`)
    const here = await world(t, { shim: true, domain: DOMAIN, edgeFlags: ['--config', config] })
    const through = createTlsServer({ key: readFileSync(own.key), cert: readFileSync(own.cert) }, site('own'))
    const servers: Server[] = [createServer(site('blog')), createServer(site('nas')), through]
    const ports = await Promise.all(
      servers.map(async (server) => {
        server.listen(0, '127.0.0.1')
        await once(server, 'listening')
        return (server.address() as AddressInfo).port
      }),
    )
    t.teardown(() => {
      for (const server of servers) server.close()
    })
    await here.join('home')
    await here.publish('home', `${ports[0]}`, '--name', 'blog')
    const more = here.expose('home', `${ports[1]}`, '--name', 'nas')
    const last = here.expose('home', `tls://${ports[2]}`, '--name', 'own')
    await Promise.all([more.until('tunnel'), last.until('tunnel')])
    const browser = await openBrowser({ home: here.folder('browser'), roots: [any.cert, own.cert], domain: DOMAIN })
    t.teardown(() => browser.close())
    const port = here.https.split(':').at(-1)
    const page = await browser.newPage()
    page.setDefaultTimeout(PATIENCE_MS)
    await page.goto(`https://blog.${DOMAIN}:${port}/`)
    t.equal(await page.title(), 'blog')
    t.equal(await page.evaluate(asking(`https://nas.${DOMAIN}:${port}/`)), 'nas,h2,true', 'on the page’s connection')
    t.match(await page.evaluate(asking(`https://own.${DOMAIN}:${port}/`)), /^own,http\/1\.1,/, 'opened by its service')
    await browser.close()
    await here.edge.stop()
    const lines = readFileSync(join(here.edgeData, 'access.log'), 'utf8').trimEnd().split('\n')
    const entries = lines.map((line) => JSON.parse(line) as { host: string; status: number; code?: string })
    const of = (name: string): { status: number; code?: string }[] =>
      entries
        .filter(({ host }) => host.startsWith(`${name}.`))
        .map(({ status, code }) => ({ status, ...(code && { code }) }))
    t.match(of('nas'), [{ status: 200 }])
    t.strictSame(of('own'), [{ status: 421, code: 'MISDIRECTED' }], 'tried on the shared connection, and once')
  },
)
