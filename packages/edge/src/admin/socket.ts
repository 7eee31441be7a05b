import { openSync } from 'node:fs'
import { join } from 'node:path'

/** What `sun_path` holds, without its final zero. unix(7) */
const MAX_SOCKET_PATH = 107

/** `DIR/admin.sock` or another name there, also where DIR is too long for a socket's address: then by way of the opened folder. */
export function socketPath(folder: string, name: string = 'admin.sock'): string {
  const path = join(folder, name)
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH) return path
  return `/proc/self/fd/${openSync(folder, 'r')}/${name}`
}
