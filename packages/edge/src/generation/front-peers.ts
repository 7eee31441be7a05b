import type { Server, Socket } from 'node:net'
import type { Millis } from '@engawa/shared/mux/events'
import type { FrontCalls, GenerationCalls, News, Passed, Question } from '../front/calls.ts'
import { Channel, type Handlers, told } from '../front/channel.ts'
import { staySeen } from '../front/presence.ts'
import type { ListenAddress } from '../listen/sockets.ts'
import { Keeping } from './keeping.ts'
import { bindOf, listen, type Peers, type Role, type SocketSource } from './peers.ts'
import { Together } from './together.ts'

/** How long a process may take to end whose work is done, ms. */
const LEAVE_MS = 5000

/** What the process hears of the front besides what its role is asked. */
export interface FrontOrders {
  /** Drain; again: at once. */
  stop(): void
  hangup(): void
}

/** A process that a front has started. */
export class FrontPeers implements Peers {
  readonly sockets: SocketSource
  readonly pid: number = process.ppid
  readonly #channel: Channel<FrontCalls>
  readonly #role: PromiseWithResolvers<Role> = Promise.withResolvers()
  readonly #orders: FrontOrders
  readonly #held = new Together(async (keys) => (await this.#channel.call('held', { keys })).body)
  readonly #keeping = new Keeping((key, handle) => this.#channel.call('keep', { key }, handle))
  #entering: Promise<unknown> | undefined
  #own = 0
  #others: ReadonlySet<number> = new Set()
  #relieved = false

  constructor(orders: FrontOrders) {
    this.#orders = orders
    this.#channel = new Channel<FrontCalls>(
      { send: (message, handle) => void process.send?.(message, handle as never, {}, () => {}) },
      this.#handlers(),
    )
    process.on('message', (message, handle) => this.#channel.received(message, handle))
    // Without the front nobody holds the folder, and the next one wants the ports.
    process.once('disconnect', () => process.exit(1))
    if (!process.connected) process.exit(1)
    this.sockets = { listen: (server, address, use) => this.#listen(server, address, use) }
  }

  approach(folder: string): void {
    this.#entering = this.#channel.call('enter', { folder })
    // `enter` tells of it.
    this.#entering.catch(() => {})
  }

  async enter(folder: string): Promise<() => void> {
    await (this.#entering ?? this.#channel.call('enter', { folder }))
    return staySeen(folder)
  }

  async stand(generation: number, role: Role): Promise<void> {
    this.#own = generation
    this.#role.resolve(role)
    await this.#channel.call('stand', { generation })
  }

  serve(): void {
    this.#channel.tell('serve', {})
  }

  get several(): boolean {
    return this.#others.size > 0
  }

  passOn(socket: Socket, serverName: string, since: Millis): boolean {
    const wanted = Number(/^g(\d+)\./.exec(serverName)?.[1] ?? 0)
    if (wanted === this.#own) return false
    // Of no generation that lives: the newest takes it.
    if (!this.#others.has(wanted) && !this.#relieved) return false
    const chunks: Buffer[] = []
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      chunks.push(chunk)
    }
    const passed: Passed = {
      serverName,
      early: Buffer.concat(chunks).toString('base64'),
      spentMs: performance.now() - since,
    }
    // Behind its ClientHello the agent waits for an answer: no byte can be lost on the way.
    this.#channel.tell('pass', passed, socket)
    return true
  }

  tell(news: News): void {
    this.#channel.tell('tell', news)
  }

  async ask<Answer>(question: Question): Promise<readonly Answer[]> {
    if (!this.several) return []
    return (await this.#channel.call('ask', question)).body as Answer[]
  }

  async upgrade(): Promise<{ generation: number; pid: number }> {
    return (await this.#channel.call('upgrade', {})).body
  }

  /** Says why this process ends without having served. */
  fail(error: unknown): void {
    this.#channel.tell('fail', told(error))
  }

  /** The work is done: the pipe does not keep the process alive. */
  leave(): void {
    process.channel?.unref()
    // Nor may anything else: the front waits for its end.
    setTimeout(() => process.exit(), LEAVE_MS).unref()
  }

  #handlers(): Handlers<GenerationCalls> {
    return {
      handOver: async ({ to }) => {
        this.#relieved = true
        await (await this.#role.promise).handOver(to)
      },
      others: ({ generations }) => {
        this.#others = new Set(generations)
      },
      pass: async (passed, handle) => {
        const socket = handle as Socket | undefined
        if (socket === undefined) return
        const role = await this.#role.promise
        if (passed.early !== '') socket.unshift(Buffer.from(passed.early, 'base64'))
        role.take(socket, performance.now() - passed.spentMs, passed.serverName)
      },
      tell: async (news) => (await this.#role.promise).heard(news),
      ask: async (question) => (await this.#role.promise).answer(question),
      stop: () => this.#orders.stop(),
      hangup: () => this.#orders.hangup(),
    }
  }

  /** The socket that an earlier generation has left, else one of our own, which is left to the front at once. */
  async #listen(server: Server, address: ListenAddress, use: string): Promise<() => void> {
    const key = `${use} ${address.host}:${address.port}`
    const given = (await this.#held.has(key)) ? (await this.#channel.call('socket', { key })).handle : undefined
    await listen(server, given ?? bindOf(address))
    if (given === undefined) this.#keeping.add(key, server)
    return () => {
      server.close(() => {})
      if (!this.#keeping.forget(key, server)) this.#channel.tell('drop', { key })
    }
  }
}
