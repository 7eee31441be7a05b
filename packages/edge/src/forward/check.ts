import { createHash, timingSafeEqual } from 'node:crypto'
import type { Tunnel } from '../tunnel/tunnel.ts'

const PREFIX = '/.well-known/engawa/'

/** The answer to an agent that looks whether its public address really leads to it; undefined for every other path. protocol.md §8, `bound` */
export function checkAnswer(tunnel: Tunnel, path: string): string | undefined {
  if (tunnel.check === undefined || !path.startsWith(PREFIX)) return undefined
  // Digests, so that neither content nor length shows in the time it takes.
  const [said, right] = [path.slice(PREFIX.length), tunnel.check].map((text) =>
    createHash('sha256').update(text).digest(),
  )
  return said !== undefined && right !== undefined && timingSafeEqual(said, right) ? tunnel.check : undefined
}
