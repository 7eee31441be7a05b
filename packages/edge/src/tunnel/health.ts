import { request } from 'node:http'
import { connect } from 'node:http2'
import type { Clock } from '@engawa/shared/carrier/clock'
import { EngawaError } from '@engawa/shared/errors'
import type { Stream } from '@engawa/shared/mux/events'
import { toDuplex } from '@engawa/shared/stream/duplex'
import type { Bind } from '@engawa/shared/wire/control'
import { endpoint } from '@engawa/shared/wire/opening'
import type { Published } from './published.ts'
import type { Live } from './tunnel.ts'

/** How a service is looked at. */
export type Health = { readonly kind: 'tcp' } | { readonly kind: 'http'; readonly path: string }

const EVERY_MS = 5000
const PATIENCE_MS = 5000
const AGENT = 'engawa-health'

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

async function probe({ link, service }: Live, tunnel: Published, health: Health): Promise<boolean> {
  const nobody = endpoint(undefined, 0)
  const stream = link.open({ service, portIndex: 0, protocol: 'http', visitor: nobody, public: nobody })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), PATIENCE_MS)
  let end: (() => void) | undefined
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
      const host = tunnel.hostHeader ?? tunnel.hosts[0] ?? 'localhost'
      const ask = tunnel.h2c ? askHttp2 : askHttp1
      end = ask(stream, { host, path: health.path }, resolve)
    }
    return await promise
  } finally {
    clearTimeout(timer)
    end?.()
    stream.reset('CANCELLED')
  }
}

interface Question {
  readonly host: string
  readonly path: string
}

/** Answers how to let go of the stream. */
function askHttp1(stream: Stream, { host, path }: Question, said: (well: boolean) => void): () => void {
  const headers = { host, 'user-agent': AGENT, connection: 'close' }
  const asked = request({ path, headers, createConnection: () => toDuplex(stream) })
  asked.on('response', (answer) => {
    answer.resume()
    said(isWell(answer.statusCode))
  })
  asked.on('error', () => said(false))
  asked.end()
  return () => void asked.destroy()
}

/** As `askHttp1`. */
function askHttp2(stream: Stream, { host, path }: Question, said: (well: boolean) => void): () => void {
  const session = connect('http://service', {
    createConnection: () => toDuplex(stream),
    settings: { enablePush: false },
  })
  session.on('error', () => said(false))
  session.once('close', () => said(false))
  const asked = session.request({ ':path': path, ':authority': host, 'user-agent': AGENT })
  asked.on('error', () => said(false))
  asked.on('response', (head) => said(isWell(head[':status'])))
  asked.resume()
  return () => session.destroy()
}

function isWell(status: number = 500): boolean {
  return status < 400
}
