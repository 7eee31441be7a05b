import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import type { Access } from './access.ts'
import type { Office } from './office.ts'

/** A whole request has to be here within this, ms: a slow client holds a socket no longer. */
const REQUEST_MS = 10_000
const KEEP_ALIVE_MS = 5_000
/** Sockets at once; the API is for one machine's people and scripts. */
const CONNECTIONS = 256

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/**
 * The admin API's server, as it can listen at once. What answers is loaded when somebody asks for the first time: it
 * would take a third of an edge's start, and megabytes of an edge that nobody asks.
 */
export class LateServer {
  readonly server: Server = createServer({ requestTimeout: REQUEST_MS, keepAliveTimeout: KEEP_ALIVE_MS })
  readonly #make: (listen: (answer: Answer) => Server) => Promise<FastifyInstance>
  readonly #log: Logger
  #made: Promise<FastifyInstance> | undefined
  #answer: Answer | undefined

  constructor(office: Office, log: Logger, access: Access | undefined) {
    this.#log = log
    this.#make = async (listen) => {
      const { adminServer } = await import('./server.ts')
      return adminServer(office, log, { access, listen })
    }
    this.server.maxConnections = CONNECTIONS
    this.server.setTimeout(REQUEST_MS)
    this.server.on('request', (request, response) => void this.#asked(request, response))
  }

  /** At once: who waits for an answer is cut. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
    await this.#made?.then((app) => app.close())
  }

  async #asked(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      this.#made ??= this.#make((answer) => {
        this.#answer = answer
        return this.server
      })
      await this.#made
      this.#answer?.(request, response)
    } catch (err) {
      this.#log.error({ err }, 'the admin API cannot be loaded')
      response.writeHead(500).end()
    }
  }
}
