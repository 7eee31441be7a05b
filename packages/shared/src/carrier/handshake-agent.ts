import type { KeyObject } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { EngawaError } from '../errors.ts'
import type { Endpoint } from '../wire/opening.ts'
import type { Carrier } from './carrier.ts'
import { type DialTarget, dial } from './dial.ts'
import {
  type Asking,
  type AttachBody,
  type ChallengeMessage,
  type JoinBody,
  type Joined,
  type LoginBody,
  parseAnswer,
  parseChallenge,
  type Welcome,
} from './handshake-messages.ts'
import {
  type Binding,
  EXPORTER_BYTES,
  EXPORTER_LABEL,
  NO_CONTEXT,
  proofOf,
  publicKeyOf,
  signatureOf,
  signedBytes,
} from './handshake-proof.ts'
import { upgrade } from './upgrade.ts'
import { WebSocketCarrier } from './websocket.ts'

export interface DialOptions extends DialTarget {
  /** For each step: TCP, TLS, the challenge, each answer. So a slow line that goes forward is not given up. */
  readonly timeoutMs?: number
  /** Gives up, also while an answer is awaited. */
  readonly signal?: AbortSignal
  /** TCP stands. */
  readonly onReached?: () => void
  /** Default: zeros inside TLS, random on a plain carrier, which an intermediary might read. */
  readonly mask?: 'zero' | 'random'
}

/** What a login or an attach won. Set the carrier's handlers at once: nothing is read before. */
export interface Admitted {
  readonly welcome: Welcome
  readonly carrier: Carrier
}

interface Bound {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly what: string
}

const ANSWER_MS = 10_000

/**
 * Reaches an edge and reads its challenge. protocol.md §2
 *
 * Throws EDGE_NOT_FOUND, EDGE_REFUSED_CONNECTION, EDGE_TIMEOUT, PIN_MISMATCH, TLS_INTERCEPTED, VERSION_UNSUPPORTED,
 * HANDSHAKE_INVALID, CARRIER_LOST; CANCELLED when `signal` aborts.
 */
export async function dialCarrier(options: DialOptions): Promise<Challenge> {
  const timeoutMs = options.timeoutMs ?? ANSWER_MS
  return within(
    { timeoutMs, signal: options.signal, what: `${options.host} port ${options.port}` },
    async (signal, onAbort, step) => {
      const { socket, edge } = await dial(options, signal, () => {
        options.onReached?.()
        step()
      })
      step()
      onAbort(() => socket.destroy())
      const exporter =
        socket instanceof TLSSocket
          ? socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, NO_CONTEXT)
          : Buffer.alloc(EXPORTER_BYTES)
      const { socket: upgraded, head } = await upgrade(socket, options.servername)
      const mask = options.mask ?? (socket instanceof TLSSocket ? 'zero' : 'random')
      const carrier = new WebSocketCarrier(upgraded, { role: 'agent', mask, head })
      try {
        const message = parseChallenge(await carrier.readText())
        if (edge !== undefined && !edge.equals(Buffer.from(message.edge, 'base64url'))) {
          throw new EngawaError('PIN_MISMATCH', 'the edge claims another identity than its certificate')
        }
        return new Challenge(carrier, message, exporter, { timeoutMs, signal: options.signal, what: 'the edge' })
      } catch (error) {
        carrier.destroy()
        throw error
      }
    },
  )
}

/** An edge that waits for a login, an attach or a join. */
export class Challenge {
  readonly #carrier: WebSocketCarrier
  readonly #message: ChallengeMessage
  readonly #binding: Binding
  readonly #bound: Bound

  constructor(carrier: WebSocketCarrier, message: ChallengeMessage, exporter: Uint8Array, bound: Bound) {
    this.#carrier = carrier
    this.#message = message
    this.#bound = bound
    this.#binding = {
      nonce: Buffer.from(message.nonce, 'base64url'),
      edge: Buffer.from(message.edge, 'base64url'),
      exporter,
    }
  }

  get remote(): Endpoint {
    return this.#carrier.remote
  }

  get local(): Endpoint {
    return this.#carrier.local
  }

  get generation(): number {
    return this.#message.generation
  }

  get software(): string {
    return this.#message.software
  }

  /** Throws the edge's code where it refuses, EDGE_TIMEOUT, CARRIER_LOST, HANDSHAKE_INVALID. */
  async login(body: Omit<LoginBody, 'key'>, key: KeyObject): Promise<Admitted> {
    const answer = await this.#ask('login', { ...body, key: publicKeyOf(key) } satisfies LoginBody, key)
    const welcome = this.#parse(() => parseAnswer(answer, 'welcome'))
    if (welcome.secret === undefined) this.#fail(new EngawaError('HANDSHAKE_INVALID', 'a login without its secret'))
    // Each stream has credit of its own, and may be a connection to a service: an edge may not take more than was offered.
    if (welcome.maxStreams > body.maxStreams) {
      this.#fail(new EngawaError('HANDSHAKE_INVALID', 'more streams than the agent takes'))
    }
    return { welcome, carrier: this.#carrier }
  }

  /** As `login`. On SESSION_UNKNOWN the challenge stays good for one `login`. [H5] */
  async attach(body: Omit<AttachBody, 'proof'>, key: KeyObject, secret: Uint8Array): Promise<Admitted> {
    const proof = proofOf(secret, body.session, this.#binding.exporter)
    const answer = await this.#ask('attach', { ...body, proof } satisfies AttachBody, key)
    const welcome = this.#parse(() => parseAnswer(answer, 'welcome'))
    if (welcome.session !== body.session) this.#fail(new EngawaError('HANDSHAKE_INVALID', 'welcome to another session'))
    return { welcome, carrier: this.#carrier }
  }

  /** As `login`; the carrier closes afterwards. */
  async join(body: Omit<JoinBody, 'key'>, key: KeyObject): Promise<Joined> {
    const answer = await this.#ask('join', { ...body, key: publicKeyOf(key) } satisfies JoinBody, key)
    const joined = this.#parse(() => parseAnswer(answer, 'joined'))
    this.#carrier.close()
    return joined
  }

  close(): void {
    this.#carrier.close()
  }

  #ask(asking: Asking, fields: object, key: KeyObject): Promise<string> {
    const body = JSON.stringify(fields)
    const signature = signatureOf(key, signedBytes(asking, this.#binding, body))
    return within(this.#bound, (_, onAbort) => {
      onAbort(() => this.#carrier.destroy())
      const answer = this.#carrier.readText()
      this.#carrier.sendText(JSON.stringify({ type: asking, body, signature }))
      return answer
    })
  }

  #parse<T>(parse: () => T): T {
    try {
      return parse()
    } catch (error) {
      return this.#fail(error)
    }
  }

  #fail(error: unknown): never {
    if (!(error instanceof EngawaError) || error.code !== 'SESSION_UNKNOWN') this.#carrier.close()
    throw error
  }
}

/** Runs with a bound in time, anew after each step: past it throws EDGE_TIMEOUT; CANCELLED when the outer signal aborts. */
async function within<T>(
  { timeoutMs, signal: outer, what }: Bound,
  run: (signal: AbortSignal, onAbort: (undo: () => void) => void, step: () => void) => Promise<T>,
): Promise<T> {
  const inner = new AbortController()
  const timer = setTimeout(() => inner.abort(new EngawaError('EDGE_TIMEOUT', `${what} does not answer`)), timeoutMs)
  const cancel = (): void => inner.abort(new EngawaError('CANCELLED', 'no longer wanted', { cause: outer?.reason }))
  outer?.addEventListener('abort', cancel)
  if (outer?.aborted === true) cancel()
  try {
    const onAbort = (undo: () => void): void => {
      inner.signal.addEventListener('abort', undo)
      if (inner.signal.aborted) undo()
    }
    return await run(inner.signal, onAbort, () => timer.refresh())
  } catch (error) {
    throw inner.signal.aborted ? inner.signal.reason : error
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', cancel)
  }
}
