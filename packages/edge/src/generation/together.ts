/** Asks for many at once what each of them asks in the same turn: a thousand ports send one message, not a thousand. */
export class Together {
  readonly #ask: (keys: readonly string[]) => Promise<readonly string[]>
  #waiting: { readonly keys: string[]; readonly yes: Promise<ReadonlySet<string>> } | undefined

  /** `ask`: which of these? */
  constructor(ask: (keys: readonly string[]) => Promise<readonly string[]>) {
    this.#ask = ask
  }

  /** Is `key` one of them? Rejects as `ask` does. */
  async has(key: string): Promise<boolean> {
    this.#waiting ??= this.#begin()
    const { keys, yes } = this.#waiting
    keys.push(key)
    return (await yes).has(key)
  }

  #begin(): { keys: string[]; yes: Promise<ReadonlySet<string>> } {
    const keys: string[] = []
    const yes = Promise.resolve().then(async () => {
      this.#waiting = undefined
      return new Set(await this.#ask(keys))
    })
    return { keys, yes }
  }
}
