import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { CARRIER_ZONE } from '@engawa/shared/carrier/trust'
import type { Code } from '@engawa/shared/errors'
import type { Millis } from '@engawa/shared/mux/events'
import { breakOff } from '@engawa/shared/stream/splice'
import type { Admission, Ends } from '../admit.ts'
import { rawAnswer } from '../forward/answers.ts'
import { forwardTcp } from '../forward/tcp.ts'
import { OWN_SOCKETS, type SocketSource } from '../generation/peers.ts'
import { tunnelNamed } from '../route/route.ts'
import { ACME_TLS, type Challenges } from '../tls/acme/challenges.ts'
import type { Certificates } from '../tls/certificates.ts'
import type { ClientHello } from '../tls/client-hello.ts'
import { peek } from '../tls/peek.ts'
import { Unpeeked } from '../tls/unpeeked.ts'
import { type Arrival, HttpFront, type RunningListener } from './http.ts'
import { Http2Front } from './http2.ts'
import { unwrap } from './proxied.ts'
import { type ListenAddress, listenTcp } from './sockets.ts'

/** Alert records: fatal (2), then the description. RFC 8446 §6 */
const UNRECOGNIZED_NAME: Buffer = Buffer.from([21, 3, 3, 0, 2, 2, 112])
const DECODE_ERROR: Buffer = Buffer.from([21, 3, 3, 0, 2, 2, 50])

export interface TlsListener {
  readonly address: ListenAddress
  readonly admission: Admission
  readonly certificates: Certificates
  /** What a CA that looks is shown; undefined: nothing. */
  readonly challenges?: Challenges | undefined
  /** An agent: its socket as it came, the peeked bytes unshifted, nothing flowing. `since`: when it connected. */
  readonly onCarrier: (socket: Socket, serverName: string, since: Millis) => void
  readonly source?: SocketSource | undefined
}

/** The port that agents, visitors' HTTPS and passed-through TLS share, told apart by SNI. Throws LISTEN_FAILED. */
export async function startTls(options: TlsListener): Promise<RunningListener> {
  const { address, admission, certificates, challenges, onCarrier, source = OWN_SOCKETS } = options
  const { handshakeMs, unpeekedSockets } = admission.settings.limits
  const front = new HttpFront(admission)
  const front2 = new Http2Front(admission)
  /** TLS hands out a socket of its own; its pair is found again by both ends of the connection. */
  const wires = new Map<string, Arrival>()
  /** Of a wire that TLS has: what is destroyed in its place, itself until the handshake is done. */
  const covers = new WeakMap<Socket, Socket>()
  let certificate = certificates.bare()
  const tls = createServer({
    ...certificate,
    SNICallback: (serverName, done) => {
      try {
        done(null, certificates.contextFor(normal(serverName)))
      } catch (error) {
        admission.log.error({ err: error, serverName }, 'no certificate could be made')
        done(error instanceof Error ? error : new Error(String(error)))
      }
    },
    ALPNProtocols: ['h2', 'http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeMs,
    allowHalfOpen: true,
    noDelay: true,
  })
  tls.on('secureConnection', (socket: TLSSocket) => {
    const pair = wires.get(keyOf(socket))
    socket.allowHalfOpen = true
    socket.on('error', () => socket.destroy())
    if (pair !== undefined) covers.set(pair.wire, socket)
    if (pair === undefined) socket.destroy()
    else if (socket.alpnProtocol === 'h2') front2.take(socket, pair)
    else front.take(socket, pair)
  })
  tls.on('tlsClientError', (_error, socket) => socket.destroy())

  // Proves a name to a CA in the handshake alone: there is nothing to be said after it. RFC 8737 §3
  const proving = createServer({
    SNICallback: (serverName, done) => done(null, challenges?.context(normal(serverName))),
    ALPNProtocols: [ACME_TLS],
    minVersion: 'TLSv1.2',
    handshakeTimeout: handshakeMs,
  })
  proving.on('secureConnection', (socket) => socket.on('error', () => {}).end())
  proving.on('tlsClientError', (_error, socket) => socket.destroy())

  const waiting = new Unpeeked(unpeekedSockets)
  const accepted = (socket: Socket): void => {
    const since = performance.now()
    waiting.add(socket)
    const left = (): void => waiting.remove(socket)
    socket.once('close', left)
    unwrap(socket, { admission, deadlineMs: handshakeMs, protocol: 'tls' }, (from) => {
      socket.off('close', left)
      peek(socket, handshakeMs, {
        left,
        hello: (hello) => sort(socket, hello, { since, from }),
        invalid: (first) => {
          admission.refused('tls', 'REQUEST_INVALID')
          reject(socket, first)
        },
      })
    })
  }
  // The socket below TLS does not know that TLS has sent its end: a reset then fails and leaks it.
  const cut = (socket: Socket): void => void (covers.get(socket)?.destroy() ?? breakOff(socket))
  const listening = await listenTcp(address, accepted, { cut, from: source, use: 'https' })

  function sort(
    socket: Socket,
    { serverName, protocols }: ClientHello,
    { since, from }: { since: Millis; from: Ends | undefined },
  ): void {
    if (serverName?.endsWith(`.${CARRIER_ZONE}`) === true) {
      // A drain ends visitors first: the carriers are what their answers come by.
      listening.release(socket)
      return onCarrier(socket, serverName, since)
    }
    const turnAway = (code: Code): void => {
      admission.refused('tls', code)
      breakOff(socket)
    }
    const pass = admission.door.enter(socket.remoteAddress)
    if (typeof pass === 'string') return turnAway(pass)
    socket.once('close', () => pass.leave())
    socket.on('error', () => {})
    if (from !== undefined && !admission.countBehind(socket, from)) return turnAway('TOO_MANY')
    const tunnel = serverName === undefined ? undefined : tunnelNamed(admission.table, serverName)
    if (serverName !== undefined && tunnel?.protocol === 'tls') {
      return void forwardTcp(admission, socket, { protocol: 'tls', serverName }, from)
    }
    // Whoever offers nothing else is no visitor.
    if (protocols.includes(ACME_TLS)) {
      if (serverName === undefined || challenges?.context(serverName) === undefined)
        return alert(socket, UNRECOGNIZED_NAME)
      return shake(proving, socket)
    }
    if (!certificates.knows(serverName)) {
      admission.refused('tls', 'HOST_UNKNOWN')
      return alert(socket, UNRECOGNIZED_NAME)
    }
    if (serverName === undefined) renew()
    const key = keyOf(socket)
    wires.set(key, { wire: socket, serverName, from })
    socket.once('close', () => wires.delete(key))
    shake(tls, socket)
  }

  /** Inside the handshake an end is a farewell: a half-open socket would wait out its time. TLS takes that over from the wire. */
  function shake(server: Server, wire: Socket): void {
    wire.allowHalfOpen = false
    covers.set(wire, wire)
    server.emit('connection', wire)
  }

  /** Without SNI the server's own certificate is shown; it ages like the others. */
  function renew(): void {
    try {
      const fresh = certificates.bare()
      if (fresh === certificate) return
      certificate = fresh
      tls.setSecureContext({ ...fresh, minVersion: 'TLSv1.2', honorCipherOrder: true })
    } catch (error) {
      admission.log.error({ err: error }, 'the certificate could not be renewed')
    }
  }

  return {
    address: listening.host,
    port: listening.port,
    close: async (drainMs, { gently = false } = {}) => {
      if (gently) front.retire()
      else {
        front.drain()
        waiting.clear()
      }
      front2.drain()
      await listening.close(drainMs)
      front.close()
    },
  }
}

/** A visitor may come from one port of its own to several addresses of this machine at the same time. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress}:${remotePort} ${localAddress}:${localPort}`
}

/** Ends a socket with a fatal alert. */
function alert(socket: Socket, record: Buffer): void {
  socket.on('error', () => {})
  socket.end(record, () => socket.destroy())
}

/** No ClientHello: plain HTTP gets a word, since people do type http:// with this port; everything else an alert. */
function reject(socket: Socket, first: number | undefined): void {
  const letter = first !== undefined && first >= 0x41 && first <= 0x5a
  alert(socket, letter ? Buffer.from(rawAnswer('REQUEST_INVALID')) : DECODE_ERROR)
}

function normal(serverName: string): string {
  return serverName.toLowerCase().replace(/\.$/, '')
}
