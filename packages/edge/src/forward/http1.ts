import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Stream } from '@engawa/shared/mux/events'
import { StreamDuplex } from '@engawa/shared/stream/duplex'
import type { ServiceAgent, ServiceOptions } from './service.ts'
import { isRepeatable, type Outgoing, type ServiceAnswer, type Upstream, type UpstreamEvents } from './upstream.ts'

/** Asks a service over HTTP/1.1. Throws SESSION_FULL. */
export function askHttp1(asked: Outgoing, agent: ServiceAgent, events: UpstreamEvents): Upstream {
  const options: ServiceOptions = {
    agent,
    method: asked.method,
    path: asked.path,
    headers: asked.fields,
    maxHeaderSize: asked.responseHeadBytes,
    joinDuplicateHeaders: false,
    service: asked.service,
    open: asked.open,
  }
  const request = httpRequest(options)
  /** What had come on the connection before this request. */
  let before = 0
  request.on('socket', (connection: Duplex) => {
    before = streamOf(connection)?.received ?? 0
  })
  request.on('information', ({ statusCode, rawHeaders }) => events.interim(statusCode, rawHeaders))
  request.on('response', (incoming) => {
    // Some servers let go of their parser as soon as they see an Upgrade, whatever they answer.
    if (asked.upgrade !== undefined) agent.neverKeep(incoming.socket)
    agent.announced(String(incoming.headers['keep-alive'] ?? ''))
    events.answered(answerOf(incoming, agent))
  })
  request.on('upgrade', (incoming, connection, rest) => events.switched(answerOf(incoming, agent), connection, rest))
  request.on('drain', () => events.drained())
  request.on('error', (error) => events.broke(error, isRepeatable(asked) && diedIdle(request, before)))
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

/** A kept connection that ended while our request was on its way to it. */
function diedIdle(request: ClientRequest, before: number): boolean {
  return request.reusedSocket && (streamOf(request.socket)?.received ?? 0) === before
}

function answerOf(incoming: IncomingMessage, agent: ServiceAgent): ServiceAnswer {
  return {
    status: incoming.statusCode ?? 0,
    message: incoming.statusMessage,
    rawHeaders: incoming.rawHeaders,
    get rawTrailers() {
      return incoming.rawTrailers
    },
    mayHaveTrailers: incoming.headers['transfer-encoding'] !== undefined,
    ended: false,
    read: ({ data, end, failed }) => incoming.on('data', data).once('end', end).once('error', failed),
    pause: () => incoming.pause(),
    resume: () => incoming.resume(),
    destroy: () => incoming.destroy(),
    retire: () => agent.neverKeep(incoming.socket),
  }
}

/** The mux stream below a service connection. */
function streamOf(connection: Duplex | null): Stream | undefined {
  return connection instanceof StreamDuplex ? connection.stream : undefined
}
