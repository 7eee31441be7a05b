import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { EngawaError } from '../errors.ts'
import { type Endpoint, endpoint } from '../wire/opening.ts'
import type { Carrier } from './carrier.ts'
import {
  type Asking,
  type AttachBody,
  type JoinBody,
  type Joined,
  type LoginBody,
  PROTOCOL_VERSION,
  parseAttach,
  parseJoin,
  parseLogin,
  parseRequest,
  type Request,
  type Welcome,
} from './handshake-messages.ts'
import {
  type Binding,
  EXPORTER_BYTES,
  EXPORTER_LABEL,
  NO_CONTEXT,
  proofHolds,
  signatureHolds,
  signedBytes,
} from './handshake-proof.ts'
import { CARRIER_CIPHERS } from './trust.ts'
import { createUpgrader, type Upgrader } from './upgrade.ts'
import { WebSocketCarrier } from './websocket.ts'

/** How an agent gets in. */
export interface Admission {
  readonly welcome: Welcome
  /** Called once, right behind the welcome; sets the carrier's handlers before it returns. It may have closed already. */
  start(carrier: Carrier): void
}

/**
 * Who decides. Signatures, proofs and forms have been checked before it is asked.
 *
 * It refuses by throwing an EngawaError: code and message go to the agent.
 */
export interface Gatekeeper {
  /** The edge's identity, 32 bytes. */
  readonly edge: Uint8Array
  readonly generation: number
  readonly software: string
  /** Key (b64) and secret of a session that lives; undefined: SESSION_UNKNOWN. */
  credentials(session: string): { readonly key: string; readonly secret: Uint8Array } | undefined
  login(body: LoginBody, remote: Endpoint): Admission | Promise<Admission>
  /** The session may have ended since `credentials`: throws SESSION_UNKNOWN then. */
  attach(body: AttachBody, remote: Endpoint): Admission | Promise<Admission>
  join(body: JoinBody, remote: Endpoint): Joined | Promise<Joined>
}

export interface DoorOptions {
  readonly gatekeeper: Gatekeeper
  /** PEM: the leaf's key, and the leaf with the carrier CA behind it. 'plain' is for the bench alone. */
  readonly tls: { readonly key: string; readonly cert: string } | 'plain'
  /** From the TCP connection to the answer. [H8] */
  readonly timeoutMs?: number
}

/** How a handshake came out, for logs and for counting who is pending. */
export type Outcome =
  | { readonly done: Asking }
  /** The agent was told, or could not be: it left, was too slow, or spoke something else. */
  | { readonly done: undefined; readonly asked: Asking | undefined; readonly error: EngawaError }

/** An unauthenticated carrier, to be evicted when there are too many. */
export interface Pending {
  readonly remote: Endpoint
  destroy(): void
}

const HANDSHAKE_MS = 10_000
const NONCE_BYTES = 32

/** The edge's end of the handshake: sockets in, admitted carriers out. protocol.md §2 */
export class CarrierDoor {
  readonly #gatekeeper: Gatekeeper
  readonly #context: SecureContext | undefined
  readonly #upgrader: Upgrader
  readonly #timeoutMs: number

  constructor(options: DoorOptions) {
    this.#gatekeeper = options.gatekeeper
    this.#timeoutMs = options.timeoutMs ?? HANDSHAKE_MS
    this.#upgrader = createUpgrader()
    if (options.tls !== 'plain') {
      this.#context = createSecureContext({ ...options.tls, minVersion: 'TLSv1.3', ciphers: CARRIER_CIPHERS })
    }
  }

  /**
   * Takes a TCP socket from which nothing is lost (peeked bytes unshifted), or a TLS socket whose handshake is done.
   * `finished` is called exactly once. `spentMs`: how long ago it connected.
   */
  accept(socket: Socket, finished: (outcome: Outcome) => void, spentMs = 0): Pending {
    const remote = endpoint(socket.remoteAddress, socket.remotePort)
    let asked: Asking | undefined
    let over = false
    const ask = (asking: Asking): void => {
      asked = asking
    }
    const finish = (error?: EngawaError): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      finished(error === undefined && asked !== undefined ? { done: asked } : failure(asked, error))
    }
    const timer = setTimeout(() => {
      finish(new EngawaError('HANDSHAKE_TIMEOUT'))
      socket.destroy()
    }, this.#timeoutMs - spentMs)
    let cause: Error | undefined
    socket.on('error', (error) => {
      cause ??= error
    })
    socket.once('close', () => finish(new EngawaError('CARRIER_LOST', 'the agent closed in the handshake', { cause })))
    this.#secure(socket, (secured, exporter) => {
      this.#upgrader.take(secured, (upgraded) => {
        const carrier = new WebSocketCarrier(upgraded.socket, { role: 'edge', mask: 'random', head: upgraded.head })
        this.#greet(carrier, exporter, ask).then(
          () => finish(),
          (error: unknown) => {
            refuse(carrier, error)
            carrier.close()
            finish(asError(error))
          },
        )
      })
    })
    return { remote, destroy: () => socket.destroy() }
  }

  #secure(socket: Socket, next: (secured: Socket, exporter: Buffer) => void): void {
    if (this.#context === undefined) return next(socket, Buffer.alloc(EXPORTER_BYTES))
    if (socket instanceof TLSSocket) return next(socket, exporterOf(socket))
    const secured = new TLSSocket(socket, { isServer: true, secureContext: this.#context })
    secured.on('error', () => socket.destroy())
    // Of a TLSSocket that no tls.Server made these two tell of its handshake, and only these: a failure before it was done
    // is no 'error' yet, and 'secureConnect' is the client's. Undocumented, and what tls.Server itself listens to.
    secured.on('_tlsError', () => socket.destroy())
    secured.once('close', () => socket.destroy())
    // The socket may be half-open; nobody who ends before it has said who it is comes back.
    const ended = (): void => void socket.destroy()
    secured.once('end', ended)
    secured.once('secure', () => {
      secured.off('end', ended)
      next(secured, exporterOf(secured))
    })
  }

  async #greet(carrier: WebSocketCarrier, exporter: Buffer, asked: (asking: Asking) => void): Promise<void> {
    const { edge, generation, software } = this.#gatekeeper
    const binding: Binding = { nonce: randomBytes(NONCE_BYTES), edge, exporter }
    say(carrier, {
      type: 'challenge',
      version: PROTOCOL_VERSION,
      nonce: Buffer.from(binding.nonce).toString('base64url'),
      edge: Buffer.from(edge).toString('base64url'),
      generation,
      software,
    })
    const first = parseRequest(await carrier.readText())
    asked(first.type)
    try {
      await this.#answer(carrier, binding, first)
    } catch (error) {
      if (first.type !== 'attach' || asError(error).code !== 'SESSION_UNKNOWN') throw error
      refuse(carrier, error)
      const second = parseRequest(await carrier.readText())
      if (second.type !== 'login')
        throw new EngawaError('HANDSHAKE_INVALID', 'only a login may follow', { cause: error })
      asked('login')
      await this.#answer(carrier, binding, second)
    }
  }

  async #answer(carrier: WebSocketCarrier, binding: Binding, request: Request): Promise<void> {
    const { remote } = carrier
    if (request.type === 'join') {
      const body = parseJoin(request.body)
      demandSignature(binding, request, body.key)
      say(carrier, { type: 'joined', ...(await this.#gatekeeper.join(body, remote)) })
      carrier.close()
      return
    }
    const admission = await (request.type === 'login'
      ? this.#login(binding, request, remote)
      : this.#attach(binding, request, remote))
    say(carrier, { type: 'welcome', ...admission.welcome })
    admission.start(carrier)
  }

  #login(binding: Binding, request: Request, remote: Endpoint): Admission | Promise<Admission> {
    const body = parseLogin(request.body)
    demandSignature(binding, request, body.key)
    return this.#gatekeeper.login(body, remote)
  }

  #attach(binding: Binding, request: Request, remote: Endpoint): Admission | Promise<Admission> {
    const body = parseAttach(request.body)
    const credentials = this.#gatekeeper.credentials(body.session)
    if (credentials === undefined) throw new EngawaError('SESSION_UNKNOWN')
    demandSignature(binding, request, credentials.key)
    if (!proofHolds(credentials.secret, body.session, binding.exporter, body.proof)) {
      throw new EngawaError('SIGNATURE_INVALID', 'the proof of the session does not match')
    }
    return this.#gatekeeper.attach(body, remote)
  }
}

function exporterOf(socket: TLSSocket): Buffer {
  return socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, NO_CONTEXT)
}

function demandSignature(binding: Binding, { type, body, signature }: Request, key: string): void {
  if (signatureHolds(key, signedBytes(type, binding, body), signature)) return
  throw new EngawaError('SIGNATURE_INVALID', 'the signature does not hold on this carrier')
}

function say(carrier: WebSocketCarrier, message: object): void {
  carrier.sendText(JSON.stringify(message))
}

/** A fault of our own is not explained to a stranger. */
function refuse(carrier: WebSocketCarrier, error: unknown): void {
  const { code, message } = error instanceof EngawaError ? error : new EngawaError('INTERNAL')
  say(carrier, { type: 'refused', code, message })
}

function asError(error: unknown): EngawaError {
  return error instanceof EngawaError ? error : new EngawaError('INTERNAL', 'the handshake failed', { cause: error })
}

function failure(asked: Asking | undefined, error: EngawaError = new EngawaError('INTERNAL')): Outcome {
  return { done: undefined, asked, error }
}
