import { request } from 'node:http'
import type { Clock } from '@engawa/shared/carrier/clock'
import { EngawaError } from '@engawa/shared/errors'
import { toDuplex } from '@engawa/shared/stream/duplex'
import type { Bind } from '@engawa/shared/wire/control'
import { endpoint } from '@engawa/shared/wire/opening'
import type { Published } from './published.ts'
import type { Live } from './tunnel.ts'

/** How a service is looked at. */
export type Health = { readonly kind: 'tcp' } | { readonly kind: 'http'; readonly path: string }

const EVERY_MS = 5000
const PATIENCE_MS = 5000

/** Throws FLAG_INVALID. */
export function parseHealth({ health }: Pick<Bind, 'health'>): Health | undefined {
  if (health === undefined) return undefined
  if (health === 'tcp') return { kind: 'tcp' }
  const [, path] = /^http:(\/[\w.~!$&'()*+,;=:@%/?-]*)$/.exec(health) ?? []
  if (path !== undefined) return { kind: 'http', path }
  throw new EngawaError('FLAG_INVALID', 'health is tcp or http:/PATH')
}

/** Looks at a tunnel's service now and then, and notes in `well` what it sees. Answers how to end that. */
export function watchHealth(tunnel: Published, health: Health, clock: Clock): () => void {
  let timer: unknown
  let ended = false
  const look = async (): Promise<void> => {
    const { live } = tunnel
    // Who is away is not asked, and not blamed.
    if (live !== undefined) {
      const well = await probe(live, tunnel, health).catch(() => false)
      if (ended) return
      tunnel.well = well
    }
    if (!ended) timer = clock.setTimer(() => void look(), EVERY_MS)
  }
  void look()
  return () => {
    ended = true
    clock.clearTimer(timer)
  }
}

async function probe({ link, service }: Live, { hostHeader, hosts }: Published, health: Health): Promise<boolean> {
  const nobody = endpoint(undefined, 0)
  const stream = link.open({ service, portIndex: 0, protocol: 'http', visitor: nobody, public: nobody })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), PATIENCE_MS)
  try {
    if (health.kind === 'tcp') {
      stream.handler = {
        data: (bytes) => stream.consumed(bytes.length),
        end: () => resolve(false),
        reset: () => resolve(false),
        drain: () => {},
        accepted: () => resolve(true),
      }
    } else {
      const headers = {
        host: hostHeader ?? hosts[0] ?? 'localhost',
        'user-agent': 'engawa-health',
        connection: 'close',
      }
      const asked = request({ path: health.path, headers, createConnection: () => toDuplex(stream) })
      asked.on('response', (answer) => {
        answer.resume()
        resolve((answer.statusCode ?? 500) < 400)
      })
      asked.on('error', () => resolve(false))
      asked.end()
    }
    return await promise
  } finally {
    clearTimeout(timer)
    stream.reset('CANCELLED')
  }
}
