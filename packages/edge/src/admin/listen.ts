import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Address } from '@engawa/shared/addresses'
import { keepOwner } from '@engawa/shared/folder'
import type { Logger } from 'pino'
import { accessByToken, adminToken } from './access.ts'
import type { Office } from './office.ts'
import { adminServer } from './server.ts'
import { socketPath } from './socket.ts'

export interface AdminOptions {
  readonly folder: string
  /** Undefined: no TCP, the socket alone. */
  readonly address: Address | undefined
  readonly office: Office
  readonly log: Logger
}

export interface RunningAdmin {
  /** The real port of the TCP listener. */
  readonly address: Address | undefined
  close(): Promise<void>
}

/** Serves the API on `DIR/admin.sock`, and on TCP with the token. Only the holder of the folder's lock may call it. Throws as `listen` does. */
export async function startAdmin({ folder, address, office, log }: AdminOptions): Promise<RunningAdmin> {
  const token = adminToken(folder, log)
  const inner = await adminServer(office, log, undefined)
  const path = join(folder, 'admin.sock')
  rmSync(path, { force: true })
  // Closed to others from its first moment on, also in a folder that is not.
  const before = process.umask(0o177)
  try {
    await inner.listen({ path: socketPath(folder) })
  } finally {
    process.umask(before)
  }
  keepOwner(path)
  try {
    const outer = address && (await listenTcp(office, log, token, address))
    return {
      address: outer?.address,
      close: async () => {
        await Promise.all([inner.close(), outer?.close()])
        rmSync(path, { force: true })
      },
    }
  } catch (error) {
    await inner.close()
    throw error
  }
}

async function listenTcp(office: Office, log: Logger, token: string, address: Address): Promise<RunningAdmin> {
  const app = await adminServer(office, log, accessByToken(token, [address.host]))
  await app.listen({ host: address.host === '' ? '::' : address.host, port: address.port })
  const bound = app.server.address()
  const port = typeof bound === 'object' && bound !== null ? bound.port : address.port
  return { address: { host: address.host, port }, close: () => app.close() }
}
