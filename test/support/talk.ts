import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect, read } from './socket.ts'

/** A visitor of the echo service who says something now and then, and looks what comes back. */
export class Talk {
  /** What went wrong first. */
  failure: string | undefined
  /** Resolves when the connection has gone. */
  readonly gone: Promise<unknown>
  readonly #socket: Socket
  #said = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    this.gone = once(socket, 'close').catch(() => {})
    socket.on('error', (error) => {
      this.failure ??= String(error)
    })
    socket.on('close', () => {
      this.failure ??= 'closed'
    })
  }

  static async open(port: number): Promise<Talk> {
    const talk = new Talk(await connect(port))
    await talk.say()
    return talk
  }

  async say(): Promise<void> {
    const line = Buffer.from(`line ${++this.#said}\n`)
    this.#socket.write(line)
    const back = await read(this.#socket, line.length).catch(() => Buffer.alloc(0))
    if (!back.equals(line)) this.failure ??= `said ${line.toString()}, heard ${back.toString()}`
    this.#socket.resume()
  }

  close(): void {
    this.#socket.destroy()
  }
}
