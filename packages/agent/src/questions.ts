import { EngawaError } from '@engawa/shared/errors'
import type { EdgeMessage } from '@engawa/shared/wire/control'
import { complaint } from './complaint.ts'

/** How long the edge may take to answer `release` and `leave`, milliseconds. */
const ANSWER_MS = 10_000

interface Question {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** What the edge was asked and has not answered yet. protocol.md §8, `done` and `failed` */
export class Questions {
  readonly #open: Map<number, Question> = new Map()
  #last = 0

  /** Asks by `send`, with a number for the answer. Throws what the edge says, EDGE_TIMEOUT, CARRIER_LOST. */
  async ask(send: (id: number) => void): Promise<void> {
    const id = ++this.#last
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const late = (): void => reject(complaint('EDGE_TIMEOUT', (words) => words.disconnected(undefined)))
    const timer = setTimeout(late, ANSWER_MS)
    this.#open.set(id, { resolve, reject })
    try {
      send(id)
      await promise
    } finally {
      clearTimeout(timer)
      this.#open.delete(id)
    }
  }

  /** False where the message answers no question. */
  answered(message: EdgeMessage): boolean {
    if (message.type === 'done') this.#open.get(message.id)?.resolve()
    else if (message.type === 'failed') {
      this.#open.get(message.id)?.reject(new EngawaError(message.code, message.message))
    } else return false
    return true
  }

  /** No answer will come; `error` undefined: that is the answer. */
  end(error: EngawaError | undefined): void {
    for (const { resolve, reject } of this.#open.values()) {
      if (error === undefined) resolve()
      else reject(error)
    }
    this.#open.clear()
  }
}
