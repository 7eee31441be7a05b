/** A word that may come before anybody listens. */
export class Told {
  #times = 0
  #listener: (() => void) | undefined

  tell(): void {
    if (this.#listener === undefined) this.#times++
    else this.#listener()
  }

  hear(listener: () => void): void {
    this.#listener = listener
    for (; this.#times > 0; this.#times--) listener()
  }
}
