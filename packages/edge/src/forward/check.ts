import { createHash, timingSafeEqual } from 'node:crypto'
import type { Tunnel } from '../tunnel/tunnel.ts'
import type { VisitorRequest, VisitorResponse } from './message.ts'

const PREFIX = '/.well-known/engawa/'

/** Answers an agent that looks whether its public address really leads to it; false for every other path. protocol.md §8, `bound` */
export function answerCheck(
  tunnel: Tunnel,
  path: string,
  { request, response }: { request: VisitorRequest; response: VisitorResponse },
): boolean {
  if (!isCheck(tunnel, path)) return false
  const token = tunnel.check ?? ''
  const type = ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store']
  response.writeHead(200, 'OK', [...type, 'Content-Length', String(token.length)])
  response.end(request.method === 'HEAD' ? undefined : token)
  return true
}

function isCheck({ check, path: own = '' }: Tunnel, path: string): boolean {
  const prefix = own + PREFIX
  if (check === undefined || !path.startsWith(prefix)) return false
  // Digests, so that neither content nor length shows in the time it takes.
  const [said, right] = [path.slice(prefix.length), check].map((text) => createHash('sha256').update(text).digest())
  return said !== undefined && right !== undefined && timingSafeEqual(said, right)
}
