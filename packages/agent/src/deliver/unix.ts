import { connect, type Socket } from 'node:net'

/** Begins a connection to a service behind a Unix socket. */
export function connectUnix(path: string): Socket {
  return connect({ path, allowHalfOpen: true })
}
