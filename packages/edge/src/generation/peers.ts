import type { Server, Socket } from 'node:net'
import { makeFolder } from '@engawa/shared/folder'
import { lockFolder } from '@engawa/shared/lock'
import type { Millis } from '@engawa/shared/mux/events'
import type { News, Question } from '../front/calls.ts'
import type { ListenAddress } from '../listen/sockets.ts'

/** Where listening sockets come from: bound here, or left by an earlier generation. */
export interface SocketSource {
  /**
   * Makes `server` listen. `use` tells listeners apart that ask for the same address (port 0).
   * Rejects with the system's error. Answers how to stop listening at net level: connections that are there stay.
   */
  listen(server: Server, address: ListenAddress, use: string): Promise<() => void>
}

/** What others may want of this process once it stands. */
export interface Role {
  /** Another generation takes what is new: this one listens no longer, and finishes what runs. */
  handOver(to: number): Promise<void>
  /** A carrier of ours that came in elsewhere: as it came, nothing flowing. */
  take(socket: Socket, since: Millis, serverName: string): void
  heard(news: News): void
  answer(question: Question): unknown
}

/** This process's place among those that serve the same folder. */
export interface Peers {
  /** Begins to make the folder its own, while this process has something else to do; `enter` is called next. */
  approach(folder: string): void
  /** Makes the folder its own. Answers how to end that. Throws FOLDER_LOCKED. */
  enter(folder: string): Promise<() => void>
  readonly sockets: SocketSource
  /** The process to signal when the edge is to stop: it holds the folder, and a service manager knows it. */
  readonly pid: number
  /** Every port listens. Resolves when it is this process's turn to take what is new. */
  stand(generation: number, role: Role): Promise<void>
  /** It takes what is new. */
  serve(): void
  /** There are other generations: a carrier on a port of its own has to say which one it wants. */
  readonly several: boolean
  /** Hands a carrier over whose server name says another generation. False: it is this one's. */
  passOn(socket: Socket, serverName: string, since: Millis): boolean
  tell(news: News): void
  /** The answers of the other generations. */
  ask<Answer>(question: Question): Promise<readonly Answer[]>
  /** A new generation from the installed file. Throws what kept it from serving. */
  upgrade(): Promise<{ readonly generation: number; readonly pid: number }>
}

/** Bound by this process itself. */
export const OWN_SOCKETS: SocketSource = {
  async listen(server, address) {
    await listen(server, bindOf(address))
    return () => void server.close(() => {})
  },
}

/**
 * What the kernel keeps of connections that nobody has accepted yet, as many as Linux allows unless told otherwise
 * (net.core.somaxconn). Past it a visitor's SYN is dropped, and is sent again after 1, 3, 7 and 15 s.
 */
const BACKLOG = 4096

export function bindOf({ host, port }: ListenAddress): { port: number; host?: string } {
  return { port, ...(host === '' ? {} : { host }) }
}

/** Rejects with the system's error. */
export function listen(server: Server, where: object): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(where, BACKLOG, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** A process that serves its folder alone, without a front: there is nobody to hand anything to. */
export const ALONE: Peers = {
  approach: () => {},
  enter: async (folder) => {
    makeFolder(folder)
    const lock = lockFolder(folder)
    return () => lock.release()
  },
  sockets: OWN_SOCKETS,
  pid: process.pid,
  stand: async () => {},
  serve: () => {},
  several: false,
  passOn: () => false,
  tell: () => {},
  ask: async () => [],
  upgrade: () => Promise.reject(new Error('there is no front')),
}
