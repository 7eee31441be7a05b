import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'

/** A whole request has to be here within this, ms: a slow client holds a socket no longer. */
const REQUEST_MS = 10_000
const KEEP_ALIVE_MS = 5_000
/** Sockets at once; the API is for one machine's people and scripts. */
const CONNECTIONS = 256

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** Loads what answers and hands it to `listen`, which gives the server that hears the questions. */
export type Load = (listen: (answer: Answer) => Server) => Promise<FastifyInstance>

/**
 * The admin API's server, as it can listen at once. What answers is loaded when somebody asks for the first time: it
 * would take a third of an edge's start, and megabytes of an edge that nobody asks.
 */
export class LateServer {
  readonly server: Server = createServer({ requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS })
  readonly #load: Load
  readonly #log: Logger
  #loaded: Promise<FastifyInstance> | undefined
  #answer: Answer | undefined

  constructor(load: Load, log: Logger) {
    this.#load = load
    this.#log = log
    this.server.maxConnections = CONNECTIONS
    this.server.setTimeout(REQUEST_MS)
    this.server.on('request', (request, response) => void this.#asked(request, response))
  }

  /** At once: who waits for an answer is cut. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
    await this.#loaded?.then(
      (app) => app.close(),
      () => {},
    )
  }

  async #asked(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#loaded ??= this.#load((answer) => {
      this.#answer = answer
      return this.server
    })
    const loading = this.#loaded
    try {
      await loading
    } catch (err) {
      // The next question tries again: memory or descriptors may have been wanting for a moment only.
      if (this.#loaded === loading) this.#loaded = undefined
      this.#log.error({ err }, 'the admin API cannot be loaded')
      response.writeHead(500).end()
      return
    }
    this.#answer?.(request, response)
  }
}
