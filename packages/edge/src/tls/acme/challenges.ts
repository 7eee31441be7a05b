import { createSecureContext, type SecureContext } from 'node:tls'
import type { Authorization } from 'acme-client'
import { keyPem, newKey } from '../../identity/authority.ts'
import type { Solver } from './ca.ts'

/** RFC 8737 §6.2 */
export const ACME_TLS = 'acme-tls/1'
const PATH = '/.well-known/acme-challenge/'

/** `text` undefined: there is none, and nobody else may give one. */
export interface ChallengeAnswer {
  readonly text: string | undefined
}

/** What the edge itself shows a CA that looks whether a name is ours. Nothing of it ever comes from an agent. */
export class Challenges {
  /** Of names whose certificate the edge keeps. */
  readonly #keeps: (host: string) => boolean
  readonly #answers = new Map<string, string>()
  readonly #contexts = new Map<string, SecureContext>()

  constructor(keeps: (host: string) => boolean) {
    this.#keeps = keeps
  }

  /** The answer to a request below `/.well-known/acme-challenge/`; undefined: it is not for the edge. RFC 8555 §8.3 */
  answer(host: string, path: string): ChallengeAnswer | undefined {
    if (!path.startsWith(PATH)) return undefined
    const text = this.#answers.get(`${host} ${path.slice(PATH.length)}`)
    if (text !== undefined) return { text }
    return this.#keeps(host) ? { text: undefined } : undefined
  }

  /** The certificate that proves `host` in a handshake for `acme-tls/1`. RFC 8737 §3 */
  context(host: string): SecureContext | undefined {
    return this.#contexts.get(host)
  }

  readonly http: Solver = {
    type: 'http-01',
    prove: async (host, token, keyAuthorization) => {
      this.#answers.set(`${host} ${token}`, keyAuthorization)
      return async () => void this.#answers.delete(`${host} ${token}`)
    },
  }

  readonly tls: Solver = {
    type: 'tls-alpn-01',
    prove: async (host, _token, keyAuthorization) => {
      const authorization = { identifier: { type: 'dns', value: host } } as Authorization
      const { crypto: acme } = await import('acme-client')
      const [key, cert] = await acme.createAlpnCertificate(authorization, keyAuthorization, keyPem(newKey()))
      this.#contexts.set(host, createSecureContext({ key, cert, minVersion: 'TLSv1.2' }))
      return async () => void this.#contexts.delete(host)
    },
  }
}
