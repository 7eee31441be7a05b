import type { Stats } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { relative, sep } from 'node:path'
import { type Duplex, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pageLanguage } from '@engawa/shared/prefers'
import send from '@fastify/send'
import { listingPage, readListing } from './listing.ts'
import { notePage } from './note.ts'

/** One read of a file: fewer turns for large ones. */
const READ_BYTES = 256 * 1024
/** Made to be public, RFC 8615: an ACME client writes there. No other name with a dot before it is served, there neither. */
const WELL_KNOWN = /^\/\.well-known(?:\/[\w~-][\w.~-]*)+$/
/** The edge takes 16 KiB from a visitor and adds fields of its own. */
const HEAD_BYTES = 32 * 1024

export interface FolderSettings {
  /** Absolute. It may appear later. */
  readonly path: string
  /** Shows what is in a folder that has no index.html. */
  readonly listing: boolean
  /** Never served, though they may lie inside: where keys are. Links resolved. */
  readonly hidden: readonly string[]
  /** The folder was looked for: it is there, or not. */
  readonly onTried: (isThere: boolean) => void
}

/**
 * A web service for the files of one folder: index.html, types, ETag, ranges. Decoding, `..` and dotfiles are the
 * library's business; that nothing outside is read, whichever links lie inside, is looked at here, after they are resolved.
 */
export class FolderService {
  readonly #settings: FolderSettings
  readonly #server: Server

  constructor(settings: FolderSettings) {
    this.#settings = settings
    // The edge has timed the request already, and time stands still for a session without a carrier.
    this.#server = createServer(
      { maxHeaderSize: HEAD_BYTES, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 },
      (request, response) => {
        this.#answer(request, response).catch(() => response.destroy())
      },
    )
  }

  /** Serves the connection of one visitor. */
  take(visitor: Duplex): void {
    visitor.on('error', () => {})
    this.#server.emit('connection', visitor)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('X-Content-Type-Options', 'nosniff')
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD')
      return note(request, response, 405)
    }
    const path = /^[^?#]*/.exec(request.url ?? '')?.[0] ?? ''
    const root = await realpath(this.#settings.path).catch(() => undefined)
    this.#settings.onTried(root !== undefined)
    if (root === undefined || !path.startsWith('/')) return note(request, response, 404)
    const found = await send(request, path, {
      root,
      dotfiles: WELL_KNOWN.test(path) ? 'allow' : 'ignore',
      // What may have changed is asked for again; a 304 is cheap.
      cacheControl: false,
      highWaterMark: READ_BYTES,
      onFile: (file, stat) => this.#demandServed(root, file, stat),
    }).catch(() => undefined)
    if (found === undefined) return note(request, response, 404)
    if (found.type === 'directory') return this.#redirect(request, response, { root, path: found.metadata.path })
    if (found.type === 'error') {
      found.stream.destroy()
      if (path.endsWith('/') && this.#settings.listing) return this.#list(request, response, { root, path })
      const range = found.headers['Content-Range']
      if (range !== undefined) response.setHeader('Content-Range', range)
      return note(request, response, found.statusCode)
    }
    response.setHeader('Cache-Control', 'no-cache')
    response.writeHead(found.statusCode, found.headers)
    if (request.method === 'HEAD' || found.statusCode === 304) {
      found.stream.destroy()
      response.end()
      return
    }
    await pipeline(found.stream, exactly(Number(found.headers['Content-Length'])), response)
  }

  /** Relative, so that it holds where the edge serves the folder below a path. */
  async #redirect(
    request: IncomingMessage,
    response: ServerResponse,
    { root, path }: { root: string; path: string },
  ): Promise<void> {
    const real = await realpath(path).catch(() => undefined)
    if (real === undefined || !this.#holds(root, real)) return note(request, response, 404)
    const [asked = '/', query = ''] = (request.url ?? '/').split(/(?=\?)/, 2)
    response.setHeader('Location', `./${asked.slice(asked.lastIndexOf('/') + 1)}/${query}`)
    note(request, response, 301)
  }

  async #list(
    request: IncomingMessage,
    response: ServerResponse,
    { root, path }: { root: string; path: string },
  ): Promise<void> {
    const listing = await readListing(root, path, (real) => this.#holds(root, real))
    if (listing === undefined) return note(request, response, 404)
    const page = Buffer.from(listingPage(listing, languageOf(request)))
    response.writeHead(200, { ...PAGE, 'Content-Length': page.length, Vary: 'Accept-Language' })
    response.end(request.method === 'HEAD' ? undefined : page)
  }

  /** Throws where a file is none of ours: behind a link that leads out, or a pipe that never ends. */
  async #demandServed(root: string, file: string, stat: Stats): Promise<void> {
    if (stat.isFile() && this.#holds(root, await realpath(file))) return
    throw new Error('not served')
  }

  #holds(root: string, real: string): boolean {
    return isWithin(root, real) && !this.#settings.hidden.some((folder) => isWithin(folder, real))
  }
}

const PAGE = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
  'Cache-Control': 'no-cache',
} as const

function note(request: IncomingMessage, response: ServerResponse, status: number): void {
  const page = Buffer.from(notePage(status, languageOf(request)))
  response.writeHead(status, { ...PAGE, 'Content-Length': page.length, Vary: 'Accept-Language' })
  response.end(request.method === 'HEAD' ? undefined : page)
}

function languageOf({ headers }: IncomingMessage): 'en' | 'ja' {
  return pageLanguage(headers['accept-language'])
}

/** Both absolute, links resolved. */
export function isWithin(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way === '' || !(way === '..' || way.startsWith(`..${sep}`))
}

/** Fails where a file turns out shorter than was said: a cut one is never taken for a whole one. */
function exactly(bytes: number): Transform {
  let left = bytes
  return new Transform({
    transform(chunk: Buffer, _, done): void {
      left -= chunk.length
      done(left < 0 ? new Error('longer than was said') : null, chunk)
    },
    flush: (done) => done(left === 0 ? null : new Error('shorter than was said')),
  })
}
