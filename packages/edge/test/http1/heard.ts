import { once } from 'node:events'
import { request } from 'node:http'
import { Duplex } from 'node:stream'
import { Promptness } from '../../src/forward/promptness.ts'
import type { Outgoing, ServiceAnswer, UpstreamEvents } from '../../src/forward/upstream.ts'
import type { FakeStream } from './fake-stream.ts'

/** What somebody made of an answer. */
export interface Heard {
  interim: number[]
  status: number | undefined
  message: string | undefined
  rawHeaders: readonly string[]
  body: string
  rawTrailers: readonly string[]
  /** open: more is to come · whole · broken: it, or the connection before it. */
  end: 'open' | 'whole' | 'broken'
}

export function nothing(): Heard {
  return { interim: [], status: undefined, message: undefined, rawHeaders: [], body: '', rawTrailers: [], end: 'open' }
}

/** Events that write down what they are told. */
export function hearing(heard: Heard, answered?: (answer: ServiceAnswer) => void): UpstreamEvents {
  return {
    interim: (status) => heard.interim.push(status),
    answered: (answer) => {
      heard.status = answer.status
      heard.message = answer.message
      heard.rawHeaders = answer.rawHeaders
      if (answered !== undefined) return answered(answer)
      if (answer.ended) heard.end = 'whole'
      else listen(heard, answer)
    },
    switched: (_, service) => {
      heard.end = 'broken'
      service.destroy()
    },
    drained: () => {},
    broke: () => {
      heard.end = 'broken'
    },
  }
}

export function listen(heard: Heard, answer: ServiceAnswer): void {
  answer.read({
    data: (chunk) => {
      heard.body += Buffer.from(chunk).toString('latin1')
    },
    end: () => {
      heard.rawTrailers = answer.rawTrailers
      heard.end = 'whole'
    },
    failed: () => {
      heard.end = 'broken'
    },
  })
}

export function asking(stream: FakeStream, method = 'GET'): Outgoing {
  return {
    method,
    path: '/',
    fields: ['Host', 'a'],
    hasBody: false,
    takesTrailers: false,
    upgrade: undefined,
    responseHeadBytes: 32 * 1024,
    service: 'one',
    open: () => stream,
    promptness: new Promptness(),
  }
}

/** What Node's client makes of an answer. */
export async function heardByNode(text: string, method: string, closes: boolean): Promise<Heard> {
  const heard = nothing()
  const peer = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done(), allowHalfOpen: true })
  const asked = request({ method, headers: ['Host', 'a'], maxHeaderSize: 32 * 1024, createConnection: () => peer })
  asked.on('information', ({ statusCode }) => heard.interim.push(statusCode))
  asked.on('error', () => {
    if (heard.end === 'open') heard.end = 'broken'
  })
  asked.on('upgrade', () => {
    heard.end = 'broken'
  })
  asked.on('response', (incoming) => {
    heard.status = incoming.statusCode
    heard.message = incoming.statusMessage
    heard.rawHeaders = incoming.rawHeaders
    incoming.on('data', (chunk: Buffer) => {
      heard.body += chunk.toString('latin1')
    })
    incoming.on('end', () => {
      heard.rawTrailers = incoming.rawTrailers
      if (incoming.complete) heard.end = 'whole'
    })
    incoming.on('error', () => {
      if (heard.end === 'open') heard.end = 'broken'
    })
  })
  const finished = once(peer, 'finish').catch(() => {})
  asked.end()
  await Promise.race([finished, turns(3)])
  peer.push(Buffer.from(text, 'latin1'))
  if (closes) peer.push(null)
  await turns(4)
  peer.destroy()
  return heard
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
