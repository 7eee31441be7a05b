import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { join } from 'node:path'
import { familyOf, hostOfField } from '@engawa/shared/addresses'
import { EngawaError } from '@engawa/shared/errors'
import { closeToOthers, readIfThere, writeAtomic } from '@engawa/shared/folder'
import type { FastifyRequest } from 'fastify'
import type { Logger } from 'pino'

/** The bearer token of the API on TCP, from `DIR/admin.token`; made at the first start, closed to others at each. */
export function adminToken(folder: string, log: Logger): string {
  const path = join(folder, 'admin.token')
  if (closeToOthers(path))
    log.warn({ file: path }, 'others could read the admin token: it is 0600 now; remove it for a new one')
  const found = readIfThere(path)?.trim()
  if (found !== undefined && found.length >= 32) return found
  const token = randomBytes(32).toString('base64url')
  writeAtomic(path, `${token}\n`)
  return token
}

/** Who may ask over TCP. Each throws. */
export interface Access {
  /** BLOCKED: the page of another site, or a name that was rebound to loopback, asks through somebody's browser. */
  checkSource(request: FastifyRequest): void
  /** TOKEN_INVALID. */
  checkToken(request: FastifyRequest): void
}

/** `hosts` are names under which the API may be asked for besides those of loopback. */
export function accessByToken(token: string, hosts: readonly string[]): Access {
  const expected = digest(`Bearer ${token}`)
  const known = new Set(hosts.map((host) => host.toLowerCase()))
  const welcome = (host: string | undefined): boolean =>
    host !== undefined && (/^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host) || known.has(host))
  return {
    checkSource(request: FastifyRequest): void {
      const { origin } = request.headers
      const host = hostOfField(request.headers.host)
      // An address is no name that somebody could have rebound: so a Prometheus asks an edge on all interfaces.
      const literal = host !== undefined && familyOf(host) !== 0
      if (!literal && !welcome(host)) throw new EngawaError('BLOCKED', 'asked under a Host that is not this machine')
      if (origin !== undefined && !welcome(originOf(origin)))
        throw new EngawaError('BLOCKED', 'asked by another Origin')
      if (request.headers['sec-fetch-site'] === 'cross-site') throw new EngawaError('BLOCKED', 'asked by another site')
    },
    checkToken(request: FastifyRequest): void {
      const given = digest(request.headers.authorization ?? '')
      // Digests: equal lengths for timingSafeEqual, and the time tells nothing of the token.
      if (!timingSafeEqual(given, expected)) {
        throw new EngawaError('TOKEN_INVALID', 'send "Authorization: Bearer TOKEN" with the token of admin.token')
      }
    },
  }
}

function originOf(origin: string): string | undefined {
  return hostOfField(URL.parse(origin)?.host)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
