import { rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { codeOf, EngawaError, rowOf } from '@engawa/shared/errors'
import { keepOwner } from '@engawa/shared/folder'
import { METRICS_TYPE } from '@engawa/shared/metrics'
import { complaint } from '../complaint.ts'
import type { ShownEvent } from '../events.ts'
import type { Owner } from '../tunnels.ts'
import { parseWish, type TypedWish, type Wish } from '../wish.ts'

/** One request's JSON, bytes: a few hundred targets. Only this user can connect, so it answers mistakes, not attacks. */
const MAX_BODY_BYTES = 1024 * 1024
/** What a terminal that has stopped reading may leave unread, bytes. Past it that terminal is let go. */
const MAX_UNREAD_BYTES = 1024 * 1024

/** What other processes of this folder may ask of the one that holds the session. */
export interface Holder {
  /** Publishes for as long as the owner stays; the owner hears everything from then on. */
  join(owner: Owner, wishes: readonly Wish[]): void
  leave(owner: Owner): void
  status(): Promise<unknown>
  list(): unknown
  visitors(): unknown
  /** For a Prometheus. */
  metrics(): Promise<string>
  /** Throws NAME_UNKNOWN. */
  remove(name: string): void
  release(name: string): Promise<void>
  giveBack(): Promise<void>
}

export interface ControlServer {
  close(): Promise<void>
}

/** agent.sock of a folder that this process holds the lock of. */
export function socketPath(folder: string): string {
  return join(folder, 'agent.sock')
}

/** Serves `DIR/agent.sock` (0600): HTTP/1.1 and JSON. Only the holder of the folder's lock may call it. */
export async function startControl(folder: string, holder: Holder): Promise<ControlServer> {
  const path = socketPath(folder)
  rmSync(path, { force: true })
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    answer(holder, request, response).catch((error: unknown) => fail(response, error))
  })
  try {
    await listen(server, path)
  } catch (cause) {
    throw complaint('LISTEN_FAILED', (words) => words.socketFailed(path, (cause as Error).message), cause)
  }
  keepOwner(path)
  return {
    async close(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } finally {
    process.umask(before)
  }
}

async function answer(holder: Holder, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const route = `${request.method} ${request.url}`
  const name = /^DELETE \/tunnels\/([\w.-]+)$/.exec(route)?.[1]
  if (name !== undefined) holder.remove(name)
  else if (route === 'GET /status') return send(response, await holder.status())
  else if (route === 'GET /metrics') {
    response.writeHead(200, { 'content-type': METRICS_TYPE })
    return void response.end(await holder.metrics())
  } else if (route === 'GET /tunnels') return send(response, holder.list())
  else if (route === 'GET /visitors') return send(response, holder.visitors())
  else if (route === 'POST /tunnels') return follow(holder, await bodyOf(request), response)
  else if (route === 'POST /release') await holder.release(String((await bodyOf(request))['name']))
  else if (route === 'POST /leave') await holder.giveBack()
  else throw new EngawaError('REQUEST_INVALID', `no such request: ${route}`)
  send(response, {})
}

/** Registers a further `expose`: its events go out line by line, and its tunnels vanish with its socket. */
function follow(holder: Holder, body: Record<string, unknown>, response: ServerResponse): void {
  const wishes = (body['wishes'] as TypedWish[]).map(parseWish)
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  const owner: Owner = {
    tell(event: ShownEvent): void {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy()
      else response.write(`${JSON.stringify(event)}\n`)
    },
  }
  response.once('close', () => holder.leave(owner))
  response.flushHeaders()
  holder.join(owner, wishes)
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = ''
  request.setEncoding('utf8')
  for await (const chunk of request) {
    text += chunk as string
    if (text.length > MAX_BODY_BYTES) throw new EngawaError('REQUEST_INVALID', 'a request that is too long')
  }
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null)
    throw new EngawaError('REQUEST_INVALID', 'a request that is no object')
  return value as Record<string, unknown>
}

function send(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy()
  const code = codeOf(error)
  const { message, ja } = error as { message: string; ja?: string }
  send(response, { code, message, ...(ja !== undefined && { ja }) }, rowOf(code).status ?? 400)
}
