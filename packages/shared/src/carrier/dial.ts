import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { type Code, EngawaError } from '../errors.ts'
import { CARRIER_CIPHERS, checkTrust, type Trust } from './trust.ts'

export interface DialTarget {
  readonly host: string
  readonly port: number
  /** protocol.md [C1] */
  readonly servername: string
  /** 'plain' is for the bench alone. */
  readonly trust: Trust | 'plain'
  readonly family?: 4 | 6
  readonly localAddress?: string
}

/** A socket to an edge that has been recognised. */
export interface Dialled {
  readonly socket: Socket
  /** The edge's identity; undefined on a plain carrier. */
  readonly edge: Buffer | undefined
}

/** How long one address of a name is tried before the next: a mobile line may need most of a second for its first packet. */
const ATTEMPT_MS = 1_000

/**
 * Opens TCP and TLS, and checks whom it reached before anything is sent.
 *
 * `step` is called when TCP stands. Throws EDGE_NOT_FOUND, EDGE_REFUSED_CONNECTION, TLS_INTERCEPTED, PIN_MISMATCH.
 * When `signal` aborts, throws its reason.
 */
export function dial(target: DialTarget, signal: AbortSignal, step: () => void): Promise<Dialled> {
  const { host, port, servername, trust, family, localAddress } = target
  const where = {
    host,
    port,
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: ATTEMPT_MS,
    ...(family === undefined ? {} : { family }),
    ...(localAddress === undefined ? {} : { localAddress }),
  }
  const socket =
    trust === 'plain'
      ? connectPlain(where)
      : connectTls({ ...where, servername, secureContext: contextOfAll(), rejectUnauthorized: false })
  return new Promise((resolve, reject) => {
    let reached = false
    const settle = (): void => {
      signal.removeEventListener('abort', abort)
      socket.off('error', fail).off('close', closed)
      // Whoever takes it over adds its own; an error in between must not be thrown.
      socket.on('error', () => undefined)
    }
    const fail = (error: unknown): void => {
      settle()
      socket.destroy()
      reject(error instanceof EngawaError ? error : explain(error, target, reached))
    }
    const abort = (): void => {
      settle()
      socket.destroy()
      reject(signal.reason as Error)
    }
    const closed = (): void => fail(new Error('closed'))
    socket.on('error', fail)
    socket.once('close', closed)
    socket.once('connect', () => {
      reached = true
      step()
    })
    socket.once(trust === 'plain' ? 'connect' : 'secureConnect', () => {
      try {
        const edge = trust === 'plain' ? undefined : checkTrust(socket as TLSSocket, trust, servername)
        settle()
        resolve({ socket, edge })
      } catch (error) {
        fail(error)
      }
    })
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
  })
}

let context: SecureContext | undefined

/** One for all dials: to make one costs more than a refused dial does, and an edge that restarts is dialled by all its agents. */
function contextOfAll(): SecureContext {
  context ??= createSecureContext({ minVersion: 'TLSv1.3', ciphers: CARRIER_CIPHERS })
  return context
}

function explain(error: unknown, { host, port }: DialTarget, reached: boolean): EngawaError {
  const codes = systemCodes(error)
  const told = (code: Code, text: string, ja?: string): EngawaError => new EngawaError(code, text, { cause: error, ja })
  if (codes.some((code) => code === 'ENOTFOUND' || code === 'EAI_AGAIN' || code === 'EAI_FAIL')) {
    return told('EDGE_NOT_FOUND', `the name ${host} was not found`)
  }
  if (codes.some((code) => code.startsWith('ERR_SSL') || code === 'EPROTO')) {
    return told(
      'TLS_INTERCEPTED',
      `what answers at ${host} port ${port} speaks no TLS 1.3 of an edge`,
      '相手の応答は、エッジの TLS 1.3 ではありません',
    )
  }
  if (reached) return told('EDGE_REFUSED_CONNECTION', `${host} port ${port} closed the connection`)
  if (codes.length > 0 && codes.every((code) => code === 'ETIMEDOUT')) {
    return told('EDGE_TIMEOUT', `${host} port ${port} does not answer`)
  }
  return told('EDGE_REFUSED_CONNECTION', `${host} port ${port} cannot be reached (${codes.join(', ') || 'closed'})`)
}

/** Of an error, or of each attempt where several addresses were tried. */
function systemCodes(error: unknown): string[] {
  if (error instanceof AggregateError) return error.errors.flatMap(systemCodes)
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? [code] : []
}
