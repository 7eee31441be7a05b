import type { Socket } from 'node:net'
import { type Code, EngawaError } from '@engawa/shared/errors'
import type { Target } from '../target.ts'
import type { Reach } from './reach.ts'
import { connectTcp } from './tcp.ts'
import { connectUnix } from './unix.ts'

/** Begins a connection to the service of `target`; `portIndex` counts from 0 within its range, which the caller has checked. */
export function deliver(target: Target, portIndex: number, reach: Reach): Socket {
  const { place } = target
  if (place.kind === 'socket') return connectUnix(place.path)
  return connectTcp(place.host, place.port + portIndex, reach)
}

const REFUSED = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EACCES', 'ENOTSOCK', 'EPROTOTYPE'])

/** Why a service was not reached, as the visitor may be told. */
export function failureOf(error: unknown): Code {
  if (error instanceof EngawaError) return error.code
  const causes = error instanceof AggregateError ? (error.errors as unknown[]) : [error]
  const codes = causes.map((cause) => (cause as NodeJS.ErrnoException | undefined)?.code ?? '')
  if (codes.some((code) => REFUSED.has(code))) return 'SERVICE_REFUSED'
  if (codes.includes('ETIMEDOUT')) return 'SERVICE_TIMEOUT'
  return 'SERVICE_UNREACHABLE'
}
