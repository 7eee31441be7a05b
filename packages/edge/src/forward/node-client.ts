import { request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Outgoing, ServiceAnswer, Upstream, UpstreamEvents } from './upstream.ts'

/** Asks by Node's client, on a connection that is for this one request: upgrades, and answers that a strict reader leaves to others. */
export function askByNode(
  asked: Pick<Outgoing, 'method' | 'path' | 'fields' | 'hasBody' | 'responseHeadBytes'>,
  connection: Duplex,
  events: UpstreamEvents,
): Upstream {
  const request = httpRequest({
    method: asked.method,
    path: asked.path,
    headers: asked.fields,
    maxHeaderSize: asked.responseHeadBytes,
    joinDuplicateHeaders: false,
    createConnection: () => connection,
  })
  request.on('information', ({ statusCode, rawHeaders }) => events.interim(statusCode, rawHeaders))
  request.on('response', (incoming) => events.answered(answerOf(incoming)))
  request.on('upgrade', (incoming, service, rest) => events.switched(answerOf(incoming), service, rest))
  request.on('drain', () => events.drained())
  request.on('error', (error) => events.broke(error, false))
  if (asked.hasBody) request.flushHeaders()
  return {
    write: (chunk) => request.write(chunk),
    end: (trailers) => {
      if (trailers !== undefined) request.addTrailers(trailers)
      request.end()
    },
    destroy: () => void request.destroy(),
  }
}

function answerOf(incoming: IncomingMessage): ServiceAnswer {
  return {
    status: incoming.statusCode ?? 0,
    message: incoming.statusMessage,
    rawHeaders: incoming.rawHeaders,
    get rawTrailers() {
      return incoming.rawTrailers
    },
    mayHaveTrailers: incoming.headers['transfer-encoding'] !== undefined,
    ended: false,
    read: (reader) => {
      incoming.on('data', (chunk: Buffer) => reader.data(chunk))
      incoming.once('end', () => reader.end()).once('error', (error) => reader.failed(error))
    },
    pause: () => incoming.pause(),
    resume: () => incoming.resume(),
    destroy: () => incoming.destroy(),
    retire: () => {},
  }
}
