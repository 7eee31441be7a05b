import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Code } from '@engawa/shared/errors'
import { type Admission, type Ends, endsOf } from '../admit.ts'
import { rawAnswer } from '../forward/answers.ts'
import { isAgreed } from '../forward/switched.ts'
import { join, upgradeOf } from '../forward/upgrade.ts'
import type { SocketSource } from '../generation/peers.ts'
import { Visitors } from '../http1/visitors.ts'
import { Conversation } from './conversation.ts'
import { unwrap } from './proxied.ts'
import { type Closing, type ListenAddress, listenTcp } from './sockets.ts'

/** What a listener gives back. */
export interface RunningListener {
  readonly address: string
  readonly port: number
  /** Takes nothing new, lets what runs finish for `drainMs`, then cuts. */
  close(drainMs: number, closing?: Closing): Promise<void>
}

/** A visitor's connection that is to speak HTTP. */
export interface Arrival {
  readonly wire: Socket
  readonly serverName?: string | undefined
  readonly ownPort?: boolean
  readonly from?: Ends | undefined
}

/** What a visitor may send ahead of the service's 101; past it the kernel keeps it. */
const EARLY_BYTES = 64 * 1024

/** What the parser's errors mean; all else is REQUEST_INVALID. */
const PARSER_CODES: Readonly<Record<string, Code>> = {
  HPE_HEADER_OVERFLOW: 'HEAD_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
}

/** Speaks HTTP/1.1 on sockets that others have accepted: plain ones, and those that TLS has opened. */
export class HttpFront {
  readonly #admission: Admission
  readonly #server: Server
  readonly #conversations = new Map<Socket, Conversation>()
  /** Those of which nothing was met yet that only Node's parser reads. */
  readonly #strict: Visitors | undefined
  #draining = false

  constructor(admission: Admission) {
    this.#admission = admission
    const { requestHeadMs, requestHeadBytes, keepAliveIdleMs } = admission.settings.limits
    this.#server = createServer({
      maxHeaderSize: requestHeadBytes,
      headersTimeout: requestHeadMs,
      // Bodies have a rate instead: an upload may take days.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveIdleMs,
      connectionsCheckingInterval: Math.min(1000, requestHeadMs),
      requireHostHeader: false,
      insecureHTTPParser: false,
      joinDuplicateHeaders: false,
      // Behind a request that is not answered yet the socket is not free to switch; RFC 9110 §7.8 lets us pass it over.
      shouldUpgradeCallback: (request) =>
        upgradeOf(request) !== undefined && this.#conversations.get(request.socket)?.busy !== true,
    })
    // Node drops fields above this silently; checkHead counts and refuses instead.
    this.#server.maxHeadersCount = 0
    ;(this.#server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true
    this.#server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#take(request, response))
    // Without these listeners Node would say 100 itself before the service has, or 417.
    for (const event of ['checkContinue', 'checkExpectation'] as const)
      this.#server.on(event, (request: IncomingMessage, response: ServerResponse) => this.#take(request, response))
    this.#server.on('upgrade', (request: IncomingMessage, socket: Socket, early: Buffer) =>
      this.#upgrade(request, socket, early),
    )
    this.#server.on('connect', (request: IncomingMessage, socket: Socket) => {
      const conversation = this.#conversations.get(socket)
      conversation?.account(request, 'METHOD_REFUSED')
      // Behind a request that is not answered yet, an answer of ours would be taken for a part of the service's.
      if (conversation?.busy === true) conversation.cut()
      else refuse(socket, 'METHOD_REFUSED')
    })
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#failed(error, socket))
    if (!admission.nodeHttp)
      this.#strict = new Visitors({
        limits: admission.settings.limits,
        draining: () => this.#draining,
        handOver: (socket) => void this.#server.emit('connection', socket),
      })
    // This server never listens itself; the event starts its check of head time-outs.
    this.#server.emit('listening')
  }

  /** `wire`: the TCP socket, the same one unless TLS lies between; `from`: whom a proxy on it speaks for. */
  take(socket: Socket, { wire, serverName, ownPort = false, from }: Arrival): void {
    const { peer, local } = from ?? endsOf(wire)
    const visitor = { peer, client: peer.address, local, secure: socket !== wire, serverName, ownPort }
    const conversation = new Conversation(this.#admission, { visitor, socket, wire })
    this.#conversations.set(socket, conversation)
    socket.once('close', () => this.#conversations.delete(socket))
    if (this.#strict === undefined) this.#server.emit('connection', socket)
    else this.#strict.take(socket, conversation)
  }

  /** From now on each answer closes its connection. */
  drain(): void {
    this.#draining = true
    for (const conversation of this.#conversations.values()) conversation.drain()
    this.#server.closeIdleConnections()
    this.#strict?.drain()
  }

  /** As `drain`, but a connection that is idle now, or in the middle of an answer, may have one more request: a visitor could be sending it. */
  retire(): void {
    this.#draining = true
  }

  /** Ends the timers of a drained front. */
  close(): void {
    this.#server.close(() => {})
    this.#strict?.close()
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    // The parser may have lost what came in one segment with an Upgrade that was not taken up.
    const { upgrade, connection = '' } = request.headers
    if (this.#draining || (upgrade !== undefined && /upgrade/i.test(connection))) response.shouldKeepAlive = false
    this.#conversations.get(request.socket)?.take(request, response)
  }

  #upgrade(request: IncomingMessage, socket: Socket, first: Buffer): void {
    const conversation = this.#conversations.get(socket)
    const protocol = upgradeOf(request)
    if (conversation === undefined || protocol === undefined) return void socket.destroy()
    // The service may well answer like to any request; Node has let go of the socket, so this puts a response on it again.
    const response = new ServerResponse(request)
    const drained = (): void => void response.emit('drain')
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.once('finish', () => {
      response.detachSocket(socket)
      socket.destroySoon()
      response.emit('close')
    })
    socket.on('drain', drained)
    socket.on('error', () => socket.destroy())
    // Read on, so that a visitor who leaves is noticed; but not one byte of it goes on before the service's 101.
    const held = [first]
    let heldBytes = first.length
    const hold = (chunk: Buffer): void => {
      held.push(chunk)
      heldBytes += chunk.length
      if (heldBytes > EARLY_BYTES) socket.pause()
    }
    socket.on('data', hold)
    conversation.take(request, response, {
      protocol,
      switched: (answer, service, rest, exchange) => {
        if (!isAgreed(answer, protocol)) return false
        socket.off('drain', drained)
        socket.off('data', hold)
        const early = Buffer.concat(held)
        const { domain } = this.#admission.settings
        conversation.leave()
        const key = request.headers['sec-websocket-key'] ?? ''
        const cut = (): void => conversation.cut()
        join(socket, { answer, service, rest, exchange, domain }, { protocol, early, key, cut })
        return true
      },
    })
  }

  #failed(error: NodeJS.ErrnoException, socket: Socket): void {
    const conversation = this.#conversations.get(socket)
    if (conversation === undefined) return void socket.destroy()
    if (error.code === 'ECONNRESET' || !socket.writable) return conversation.cut()
    // An answer of ours would be taken for a part of the service's.
    if (conversation.busy) return conversation.garbled()
    const code = PARSER_CODES[error.code ?? ''] ?? 'REQUEST_INVALID'
    conversation.refuse(code)
  }
}

/** Plain HTTP on a port. Throws LISTEN_FAILED. */
export async function startHttp({
  address,
  admission,
  from,
}: {
  address: ListenAddress
  admission: Admission
  from?: SocketSource
}): Promise<RunningListener> {
  const front = new HttpFront(admission)
  const { requestHeadMs } = admission.settings.limits
  const accepted = (socket: Socket): void => {
    const pass = admission.door.enter(socket.remoteAddress)
    socket.on('error', () => {})
    const turnAway = (code: Code): void => {
      admission.refused('http', code)
      refuse(socket, code)
    }
    if (typeof pass === 'string') return turnAway(pass)
    socket.once('close', () => pass.leave())
    unwrap(socket, { admission, deadlineMs: requestHeadMs, protocol: 'http' }, (ends) => {
      if (ends !== undefined && !admission.countBehind(socket, ends)) return turnAway('TOO_MANY')
      front.take(socket, { wire: socket, from: ends })
      socket.resume()
    })
  }
  const listening = await listenTcp(address, accepted, { use: 'http', ...(from && { from }) })
  return {
    address: listening.host,
    port: listening.port,
    close: async (drainMs, { gently = false } = {}) => {
      if (gently) front.retire()
      else front.drain()
      await listening.close(drainMs)
      front.close()
    },
  }
}

/** A last word, then the end: nothing more is read. */
export function refuse(socket: Socket, code: Code): void {
  socket.end(rawAnswer(code), () => socket.destroy())
}
