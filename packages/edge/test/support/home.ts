import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { parseAddress } from '@engawa/shared/addresses'
import { type Challenge, dialCarrier } from '@engawa/shared/carrier/handshake-agent'
import { Pump } from '@engawa/shared/carrier/pump'
import type { Code } from '@engawa/shared/errors'
import { decodeJoin } from '@engawa/shared/join'
import type { Stream } from '@engawa/shared/mux/events'
import { Session } from '@engawa/shared/mux/session'
import type { Bind } from '@engawa/shared/wire/control'
import { STREAM_FLOOR } from '@engawa/shared/wire/limits'

/** An agent that has joined, without its program. */
export interface Home {
  readonly key: KeyObject
  readonly ca: string
  readonly address: string
}

const usual = { timeoutMs: 30_000 }
const SOFTWARE = 'test'

/** Joins by what `edge invite` printed. */
export async function joinHome(
  line: string,
  key: KeyObject = generateKeyPairSync('ed25519').privateKey,
): Promise<Home> {
  const { addresses, secret, pin } = decodeJoin(line)
  const [address = ''] = addresses
  const challenge = await dialCarrier({
    ...parseAddress(address),
    servername: 'new.carrier.engawa.internal',
    trust: { pin },
    ...usual,
  })
  const { ca } = await challenge.join({ secret: Buffer.from(secret).toString('base64url'), software: SOFTWARE }, key)
  return { key, ca, address }
}

export function dialHome(home: Home, servername = 'new.carrier.engawa.internal'): Promise<Challenge> {
  return dialCarrier({ ...parseAddress(home.address), servername, trust: { ca: home.ca }, ...usual })
}

export interface LoggedIn {
  readonly pump: Pump
  readonly agent: string
  readonly session: string
  /** Why the session ended, and in which words. */
  readonly ended: Promise<{ code: Code; reason: string }>
  /** Binds a service and waits for the edge's answer. */
  bind(bind: Partial<Bind>): Promise<Record<string, unknown>>
  /** The first message of that type, past or to come. */
  message(type: string): Promise<Record<string, unknown>>
}

/** Logs in; every stream that the edge opens is given to `served`, which answers by default with an HTTP 200. */
export async function logIn(home: Home, served: (stream: Stream) => void = hello): Promise<LoggedIn> {
  const challenge = await dialHome(home)
  const instance = randomBytes(16).toString('base64url')
  const { welcome, carrier } = await challenge.login(
    { instance, maxStreams: 100, credit: STREAM_FLOOR, software: SOFTWARE },
    home.key,
  )
  const messages: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  const ended = Promise.withResolvers<{ code: Code; reason: string }>()
  const session = new Session({ side: 'agent', maxStreams: 100, ownCredit: STREAM_FLOOR }, performance.now())
  const pump = new Pump(session, {
    opened: served,
    message: (json) => {
      messages.push(JSON.parse(json) as Record<string, unknown>)
      for (const look of waiting) look()
    },
    datagram: () => {},
    flowClosed: () => {},
    carrierLost: () => {},
    carrierSuspect: () => {},
    carrierTrusted: () => {},
    away: () => {},
    resumed: () => {},
    failed: (error) => ended.reject(error),
    closed: (code, reason) => ended.resolve({ code, reason }),
  })
  pump.attach(welcome.carrier, carrier)
  const first = (fits: (message: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = messages.find(fits)
        if (found === undefined) return
        waiting.delete(look)
        resolve(found)
      }
      waiting.add(look)
      look()
      void ended.promise.then(({ code }) => reject(new Error(`ended: ${code}`)))
    })
  return {
    pump,
    agent: welcome.agent,
    session: welcome.session,
    ended: ended.promise,
    bind: (bind) => {
      const whole = { type: 'bind', service: 1, name: 'blog', protocol: 'http', target: 'http://127.0.0.1:1', ...bind }
      session.sendMessage(Buffer.from(JSON.stringify(whole)))
      return first(({ service, type }) => service === whole.service && (type === 'bound' || type === 'refused'))
    },
    message: (type) => first((message) => message['type'] === type),
  }
}

function hello(stream: Stream): void {
  stream.accept()
  stream.handler = {
    data: (bytes) => {
      stream.consumed(bytes.length)
      stream.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'))
      stream.end()
    },
    end: () => {},
    reset: () => {},
    drain: () => {},
  }
}
