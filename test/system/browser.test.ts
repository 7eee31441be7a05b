import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import type { Page } from 'playwright-core'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { openBrowser, PATIENCE_MS, selfSigned } from '../support/browser.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const ASSETS = 100
const MIB = 1024 * 1024
const EVENTS = ['one', '縁側', 'three']

/** A small site: a page with many assets, events, a place to upload to and a download. */
function site(name: string): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    if (pathname === '/') {
      const images = Array.from({ length: ASSETS }, (_, at) => `<img src="/asset/${at}.svg" alt="">`).join('')
      response.setHeader('Content-Type', 'text/html; charset=utf-8')
      response.setHeader('Set-Cookie', `who=${name}; Path=/; Secure; SameSite=Lax`)
      return response.end(`<!doctype html><title>${name}</title>${images}`)
    }
    if (pathname.startsWith('/asset/')) {
      response.setHeader('Content-Type', 'image/svg+xml')
      return response.end('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')
    }
    if (pathname === '/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' })
      for (const [at, event] of EVENTS.entries()) response.write(`id: ${at}\ndata: ${event}\n\n`)
      // Open until the page has enough.
      return response
    }
    if (pathname === '/upload') return void request.pipe(response)
    if (pathname === '/download') {
      response.writeHead(200, { 'Content-Disposition': 'attachment; filename=x.bin', 'Content-Length': 8 * MIB })
      return response.end(Buffer.alloc(8 * MIB, name))
    }
    return response.writeHead(404).end(request.headers.cookie)
  }
}

/** What the page does, as a string: it runs in the browser, whose types are not ours. */
const SCRIPTS = {
  images: 'Array.from(document.images).filter((image) => image.complete && image.naturalWidth === 1).length',
  protocols: "[...new Set(performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol))].join()",
  events: `new Promise((resolve, reject) => {
    const heard = []
    const source = new EventSource('/events')
    source.onerror = reject
    source.onmessage = ({ data }) => {
      if (heard.push(data) < ${EVENTS.length}) return
      source.close()
      resolve(heard.join())
    }
  })`,
  socket: `new Promise((resolve, reject) => {
    const socket = new WebSocket('wss://' + location.host + '/socket')
    socket.onerror = reject
    socket.onopen = () => socket.send('縁側 ' + 'x'.repeat(100000))
    socket.onmessage = ({ data }) => socket.close(4001, String(data.length))
    socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean].join())
  })`,
  upload: `fetch('/upload', { method: 'POST', body: new Uint8Array(${8 * MIB}).fill(7) })
    .then((answer) => answer.arrayBuffer())
    .then((back) => crypto.subtle.digest('SHA-256', back))
    .then((digest) => Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(''))`,
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

t.test(
  'Chromium: two HTTP tunnels and one tls:// tunnel, 100 assets over HTTP/2, events, WebSocket, upload, download',
  { skip: without('chromium', 'certutil', 'openssl') },
  async (t) => {
    const here = await world(t, { shim: true })
    const servers = ['blog', 'nas'].map((name) => createServer(site(name)))
    const vias: unknown[] = []
    for (const server of servers)
      new WebSocketServer({ server }).on('connection', (socket, { headers }) => {
        vias.push(headers['via'])
        socket.on('message', (data, binary) => socket.send(data, { binary }))
      })
    const { key, cert } = await selfSigned(here.folder('certificates'), { file: 'own', host: here.host('own') })
    const own = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, site('own'))
    const [blog, nas, tls] = await Promise.all([...servers, own].map(listening))
    t.teardown(() => {
      for (const server of [...servers, own]) server.close().closeAllConnections()
    })
    await here.join('home')
    await here.publish('home', `${blog}`, '--name', 'blog')
    const more = here.expose('home', `${nas}`, '--name', 'nas')
    const last = here.expose('home', `tls://${tls}`, '--name', 'own')
    await Promise.all([more.until('tunnel'), last.until('tunnel')])
    const ca = here.folder('ca.pem')
    writeFileSync(ca, /-----BEGIN[^]*?-----END CERTIFICATE-----\n/.exec((await here.edgeDo('ca')).stdout)?.[0] ?? '')
    const browser = await openBrowser({ home: here.folder('browser'), roots: [ca, cert], domain: here.domain })
    t.teardown(() => browser.close())
    const port = here.https.split(':').at(-1)
    const open = async (name: string): Promise<Page> => {
      const page = await browser.newPage()
      page.setDefaultTimeout(PATIENCE_MS)
      await page.goto(`https://${here.host(name)}:${port}/`)
      t.equal(await page.title(), name)
      return page
    }
    const page = await open('blog')
    t.equal(await page.evaluate(SCRIPTS.images), ASSETS)
    t.equal(await page.evaluate(SCRIPTS.protocols), 'h2')
    t.equal(await page.evaluate(SCRIPTS.events), EVENTS.join())
    t.equal(await page.evaluate(SCRIPTS.socket), '4001,100003,true')
    t.strictSame(vias, ['2.0 engawa'], 'over HTTP/2, too')
    t.equal(
      await page.evaluate(SCRIPTS.upload),
      createHash('sha256')
        .update(Buffer.alloc(8 * MIB, 7))
        .digest('hex'),
    )
    const downloaded = page.waitForEvent('download')
    // Chromium says that it leaves the page, and then does not.
    await page.evaluate("void (location.href = '/download')")
    const path = await (await downloaded).path()
    t.ok(readFileSync(path).equals(Buffer.alloc(8 * MIB, 'blog')))
    const other = await open('nas')
    t.equal(await other.evaluate(SCRIPTS.images), ASSETS)
    t.equal(await other.evaluate('document.cookie'), 'who=nas', 'no cookie of its neighbour')
    const through = await open('own')
    t.equal(await through.evaluate(SCRIPTS.images), ASSETS)
  },
)
