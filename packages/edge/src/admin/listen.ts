import { randomBytes } from 'node:crypto'
import { readdirSync, renameSync, rmSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Address } from '@engawa/shared/addresses'
import { keepOwner } from '@engawa/shared/folder'
import type { Logger } from 'pino'
import { listen, OWN_SOCKETS, type SocketSource } from '../generation/peers.ts'
import { type Access, accessByToken, adminToken } from './access.ts'
import { LateServer, type Load } from './late.ts'
import type { Office } from './office.ts'
import { socketPath } from './socket.ts'

/** A socket that waits for its turn, or that a process has left behind which died before. */
const ASIDE = /^admin\.(?:[0-9a-f]{8}\.)?new$/

export interface AdminOptions {
  readonly folder: string
  /** Undefined: no TCP, the socket alone. */
  readonly address: Address | undefined
  readonly office: Office
  readonly log: Logger
  readonly source?: SocketSource
}

export interface RunningAdmin {
  /** The real port of the TCP listener. */
  readonly address: Address | undefined
  /** Takes the place of `DIR/admin.sock`: commands come here from now on. */
  open(): void
  /** The place is another process's now: what has been asked here is still answered. */
  retire(): void
  /** Resolves when nobody waits for an answer. */
  answered(): Promise<void>
  close(): Promise<void>
}

/** Serves the API on `DIR/admin.sock`, and on TCP with the token. Only the holder of the folder's lock may call it. Throws as `listen` does. */
export async function startAdmin({
  folder,
  address,
  office,
  log,
  source = OWN_SOCKETS,
}: AdminOptions): Promise<RunningAdmin> {
  const token = adminToken(folder, log)
  const inner = new LateServer(load(office, log), log)
  const path = join(folder, 'admin.sock')
  // Made aside and put in its place at once: while an edge is upgraded there is always somebody who answers.
  // By a name that nobody else ever has: whoever closes a socket removes the name it was bound by.
  const name = `admin.${randomBytes(4).toString('hex')}.new`
  const aside = join(folder, name)
  // Closed to others from its first moment on, also in a folder that is not.
  const before = process.umask(0o177)
  try {
    await listen(inner.server, { path: socketPath(folder, name) })
  } finally {
    process.umask(before)
  }
  const questions = new Questions()
  questions.count(inner.server)
  let placed = false
  try {
    keepOwner(aside)
    const outer = address && (await listenTcp(office, { log, token, address, source, questions }))
    return {
      address: outer?.address,
      open: () => {
        renameSync(aside, path)
        placed = true
        // Nobody else is on its way now.
        for (const left of readdirSync(folder)) if (ASIDE.test(left)) rmSync(join(folder, left), { force: true })
      },
      retire: () => {
        placed = false
        outer?.retire()
      },
      answered: () => questions.answered(),
      close: async () => {
        rmSync(aside, { force: true })
        if (placed) rmSync(path, { force: true })
        await Promise.all([inner.close(), outer?.close()])
      },
    }
  } catch (error) {
    await inner.close()
    throw error
  }
}

function load(office: Office, log: Logger, access?: Access): Load {
  return async (hear) => {
    const { adminServer } = await import('./server.ts')
    return adminServer(office, log, { access, listen: hear })
  }
}

interface TcpParts {
  readonly log: Logger
  readonly token: string
  readonly address: Address
  readonly source: SocketSource
  readonly questions: Questions
}

async function listenTcp(
  office: Office,
  { log, token, address, source, questions }: TcpParts,
): Promise<{ address: Address; retire(): void; close(): Promise<void> }> {
  const late = new LateServer(load(office, log, accessByToken(token, [address.host])), log)
  const { server } = late
  questions.count(server)
  const end = await source.listen(server, { ...address, host: address.host === '' ? '::' : address.host }, 'admin')
  const bound = server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return {
    address: { host: address.host, port },
    retire: end,
    close: async () => {
      end()
      await late.close()
    },
  }
}

/** Requests that wait for their answer. */
class Questions {
  readonly #open = new Set<ServerResponse>()
  #waiting: (() => void)[] = []

  count(server: Server): void {
    server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
      this.#open.add(response)
      response.once('close', () => {
        this.#open.delete(response)
        if (this.#open.size === 0) for (const resolve of this.#waiting.splice(0)) resolve()
      })
    })
  }

  answered(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}
