import { createHash } from 'node:crypto'
import http from 'node:http'
import { type WebSocket, WebSocketServer } from 'ws'
import { seededHash, seededStream } from '../bytes.ts'

type Answer = (request: http.IncomingMessage, response: http.ServerResponse, url: URL) => void | Promise<void>

/** A web service that says what it was asked, and answers with bytes whose hash the asker can work out. */
export function httpService(label: string): http.Server {
  const gates = new Map<string, (() => void)[]>()

  /** Answers nobody before `of` requests are inside: proof that they ran at the same time. */
  const gate: Answer = (_, response, url) => {
    const name = url.searchParams.get('name') ?? ''
    const waiting = gates.get(name) ?? []
    gates.set(name, waiting)
    waiting.push(() => response.end(`${label} ${url.searchParams.get('id')} ${'x'.repeat(waiting.length)}`))
    if (waiting.length < Number(url.searchParams.get('of'))) return
    for (const answer of waiting) answer()
    gates.delete(name)
  }

  const routes: Readonly<Record<string, Answer>> = {
    '/bytes': bytes,
    '/hash': hash,
    '/mirror': mirror,
    '/gate': gate,
    '/kilobyte': kilobyte,
  }

  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://service')
    response.setHeader('Service-Label', label)
    const answer = routes[url.pathname] ?? describe(label)
    Promise.resolve(answer(request, response, url)).catch(() => response.destroy())
  })
  server.requestTimeout = 0
  server.maxRequestsPerSocket = 0
  const sockets = new WebSocketServer({ server, perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 })
  sockets.on('connection', (socket: WebSocket) => {
    socket.on('error', () => socket.terminate())
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  })
  return server
}

/** What was asked, as the service saw it. `?delay=MS` answers late. */
function describe(label: string): Answer {
  return async (request, response, url) => {
    const delayMs = Number(url.searchParams.get('delay') ?? 0)
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    const { method, headers, rawHeaders } = request
    response.setHeader('Content-Type', 'application/json')
    response.end(JSON.stringify({ label, method, url: request.url, headers, rawHeaders }))
  }
}

/** `?seed=S&size=N` in full, in a range, or chunked (`&chunked=1`). */
const bytes: Answer = (request, response, url) => {
  const size = Number(url.searchParams.get('size') ?? 0)
  const seed = url.searchParams.get('seed') ?? ''
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  const from = range ? Number(range[1]) : 0
  const to = range?.[2] ? Math.min(Number(range[2]), size - 1) : size - 1
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('Accept-Ranges', 'bytes')
  if (!url.searchParams.has('chunked')) response.setHeader('Content-Length', to - from + 1)
  if (range) response.setHeader('Content-Range', `bytes ${from}-${to}/${size}`)
  response.statusCode = range ? 206 : 200
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  const body = seededStream(seed, to - from + 1, from)
  response.once('close', () => body.destroy())
  body.pipe(response)
}

const KILOBYTE = Buffer.alloc(1024, 'x')

/** The cheapest answer there is, for measuring the way to it. */
const kilobyte: Answer = (_, response) => {
  response.end(KILOBYTE)
}

/** What came in the body. With `?seed=S` it also says whether that is the seeded stream. */
const hash: Answer = async (request, response, url) => {
  const sum = createHash('sha256')
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sum.update(chunk)
    size += chunk.length
  }
  const sha256 = sum.digest('hex')
  const seed = url.searchParams.get('seed')
  const equal = seed === null ? undefined : sha256 === seededHash(seed, size)
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ size, sha256, equal, headers: request.headers }))
}

/** The body as it comes, chunk by chunk. */
const mirror: Answer = (request, response) => {
  request.pipe(response)
}
