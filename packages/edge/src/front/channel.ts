import { type Code, EngawaError, isCode } from '@engawa/shared/errors'
import { plainly } from '@engawa/shared/folder'

/** An answer that carries a listening socket. */
export class WithHandle<Body> {
  readonly body: Body
  readonly handle: unknown

  constructor(body: Body, handle: unknown) {
    this.body = body
    this.handle = handle
  }
}

/** What one end may ask of the other: a body goes, an answer comes. */
type Call = (body: never, handle: unknown) => unknown
/** All that can be asked, by name. */
export type Handlers<Calls> = {
  readonly [Name in keyof Calls]: Calls[Name] extends (body: infer Body) => infer Answer
    ? (body: Body, handle: unknown) => Answer | WithHandle<Answer> | Promise<Answer>
    : never
}

type BodyOf<C> = C extends (body: infer Body) => unknown ? Body : never
type AnswerOf<C> = C extends (body: never) => infer Answer ? Answer : never

/** How messages leave: `ChildProcess` and `process` look alike in that. */
export interface Port {
  send(message: object, handle: unknown): void
}

interface Message {
  readonly call?: string
  readonly seq?: number
  readonly body?: unknown
  readonly answer?: number
  readonly error?: { readonly code: string; readonly message: string; readonly ja?: string }
}

interface Waiter {
  readonly resolve: (answer: { body: unknown; handle: unknown }) => void
  readonly reject: (error: Error) => void
}

/**
 * One end of the pipe between the front and a generation: both ask and answer, in order.
 *
 * The two may be of different versions, the front the older one: what is not known is refused, never a reason to end.
 */
export class Channel<Out> {
  readonly #port: Port
  readonly #handlers: Readonly<Record<string, Call | undefined>>
  readonly #waiting = new Map<number, Waiter>()
  #last = 0
  #closed = false

  constructor(port: Port, handlers: object) {
    this.#port = port
    this.#handlers = handlers as Record<string, Call>
  }

  /** Asks, and waits for the answer. Throws what the other end threw; INTERNAL when it has gone. */
  async call<Name extends keyof Out & string>(
    name: Name,
    body: BodyOf<Out[Name]>,
    handle?: unknown,
  ): Promise<{ body: AnswerOf<Out[Name]>; handle: unknown }> {
    if (this.#closed) throw gone()
    const seq = ++this.#last
    const { promise, resolve, reject } = Promise.withResolvers<{ body: unknown; handle: unknown }>()
    this.#waiting.set(seq, { resolve, reject })
    this.#port.send({ call: name, seq, body } satisfies Message, handle)
    return (await promise) as { body: AnswerOf<Out[Name]>; handle: unknown }
  }

  /** Says something to which no answer is wanted. */
  tell<Name extends keyof Out & string>(name: Name, body: BodyOf<Out[Name]>, handle?: unknown): void {
    if (!this.#closed) this.#port.send({ call: name, body } satisfies Message, handle)
  }

  /** What came through the pipe. */
  received(message: unknown, handle: unknown): void {
    const said = message as Message
    if (said.call !== undefined) void this.#answer(said, handle)
    else if (said.answer !== undefined) this.#settle(said.answer, said, handle)
  }

  /** The other end has gone. */
  close(): void {
    this.#closed = true
    for (const { reject } of this.#waiting.values()) reject(gone())
    this.#waiting.clear()
  }

  async #answer({ call = '', seq, body }: Message, handle: unknown): Promise<void> {
    let answer: Message
    let given: unknown
    try {
      const work = Object.hasOwn(this.#handlers, call) ? this.#handlers[call] : undefined
      if (work === undefined) throw new EngawaError('INTERNAL', `the other version knows no "${call}"`)
      const result = await work(body as never, handle)
      given = result instanceof WithHandle ? result.handle : undefined
      answer = { answer: seq ?? 0, body: result instanceof WithHandle ? result.body : result }
    } catch (error) {
      answer = { answer: seq ?? 0, error: told(error) }
    }
    if (seq !== undefined && !this.#closed) this.#port.send(answer, given)
  }

  #settle(seq: number, { body, error }: Message, handle: unknown): void {
    const waiter = this.#waiting.get(seq)
    this.#waiting.delete(seq)
    if (error === undefined) return waiter?.resolve({ body, handle })
    const code: Code = isCode(error.code) ? error.code : 'INTERNAL'
    waiter?.reject(new EngawaError(code, error.message, { ja: error.ja }))
  }
}

/** An error as the pipe carries it. */
export function told(thrown: unknown): { code: Code; message: string; ja?: string } {
  const error = plainly(thrown)
  if (!(error instanceof EngawaError)) return { code: 'INTERNAL', message: String(error) }
  const { code, message, ja } = error
  return { code, message, ...(ja !== undefined && { ja }) }
}

function gone(): EngawaError {
  return new EngawaError('INTERNAL', 'the other process has gone')
}
