import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { EngawaError } from '../errors.ts'

/** protocol.md §1 */
export const SUBPROTOCOL = 'engawa.1'
const PATH = '/'
/** An upgrade request of ours has some 300 bytes. */
const MAX_HEAD_BYTES = 8 * 1024

/** The socket after the 101, and what had been read behind it. */
export interface Upgraded {
  readonly socket: Socket
  readonly head: Uint8Array
}

/** `ws` makes the handshake and then would frame the socket itself: it hands it to us instead. (ws 8.23, pinned) */
class HandingOver extends WebSocket {
  upgraded: Upgraded | undefined

  setSocket(socket: Duplex, head: Uint8Array): void {
    this.upgraded = { socket: socket as Socket, head }
    this.emit('upgraded', this.upgraded)
  }
}

/** Takes connected sockets and upgrades those that ask for our subprotocol; the others get an HTTP answer. */
export interface Upgrader {
  take(socket: Socket, done: (upgraded: Upgraded) => void): void
}

export function createUpgrader(): Upgrader {
  const waiting = new WeakMap<Duplex, (upgraded: Upgraded) => void>()
  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    handleProtocols: () => SUBPROTOCOL,
    WebSocket: HandingOver as unknown as typeof WebSocket,
  })
  // Never listens: sockets are handed to it. So it has no timers of its own; the handshake's bound covers it.
  const http: Server = createServer({ maxHeaderSize: MAX_HEAD_BYTES, insecureHTTPParser: false }, (_, response) => {
    response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' }).end('An Engawa carrier.\n')
    response.once('finish', () => response.socket?.destroySoon())
  })
  http.on('clientError', (_, socket) => socket.destroy())
  http.on('upgrade', (request: IncomingMessage, socket, head: Buffer) => {
    const done = waiting.get(socket)
    if (done === undefined || !isOurs(request)) {
      socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n', () => socket.destroy())
      return
    }
    webSockets.handleUpgrade(request, socket, head, (upgraded) => {
      const { upgraded: handed } = upgraded as unknown as HandingOver
      if (handed !== undefined) done(handed)
    })
  })
  return {
    take(socket, done) {
      waiting.set(socket, done)
      http.emit('connection', socket)
    },
  }
}

function isOurs(request: IncomingMessage): boolean {
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((protocol) => protocol.trim())
  return request.url === PATH && offered?.includes(SUBPROTOCOL) === true
}

/** Upgrades a socket that is connected and trusted already. Rejects with HANDSHAKE_INVALID. */
export function upgrade(socket: Socket, host: string): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      socket.destroy()
      reject(new EngawaError('HANDSHAKE_INVALID', 'the edge did not take the WebSocket upgrade', { cause }))
    }
    const client = new HandingOver(`ws://${host}${PATH}`, [SUBPROTOCOL], {
      perMessageDeflate: false,
      createConnection: () => socket,
    })
    client.on('error', fail)
    client.once('unexpected-response', (_, response) => fail(new Error(`status ${response.statusCode}`)))
    client.once('upgraded', resolve)
  })
}
