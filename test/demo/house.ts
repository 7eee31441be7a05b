// What stands at home in the demo, as a process of its own: a small web page with a long download, and a TCP echo.
import http from 'node:http'
import type net from 'node:net'
import { seededStream } from '../support/bytes.ts'
import { echoService } from '../support/services/tcp.ts'

const page = (visitor: string, agent: string): string => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>縁側 Engawa</title>
<style>
  body { font: 18px/1.7 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1rem; color: #3b3630; background: #faf7f0 }
  h1 { font-weight: 500; letter-spacing: .1em } code { background: #efe9dc; padding: .1em .3em; border-radius: .2em }
</style>
<h1>縁側</h1>
<p>This page is served from home, behind the veranda. Nothing at home listens to the outside.<br>
このページは家の中から届いています。家は外に向けて何も開いていません。</p>
<p>You came from <code>${visitor}</code> with <code>${agent}</code>.</p>
<p><a href="/film?size=104857600">100 MiB</a></p>
</html>
`

const escape = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

const web = http.createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://house')
  if (url.pathname === '/film') {
    const size = Number(url.searchParams.get('size') ?? 0)
    response.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': size })
    const film = seededStream('film', size)
    response.once('close', () => film.destroy())
    film.pipe(response)
    return
  }
  const visitor = String(request.headers['x-forwarded-for'] ?? '')
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
  response.end(page(escape(visitor), escape(request.headers['user-agent'] ?? '')))
})

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as net.AddressInfo).port
}

const ports = { web: await listen(web), echo: await listen(echoService()) }
process.stdout.write(`${JSON.stringify({ event: 'ready', ...ports })}\n`)
