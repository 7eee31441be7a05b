import { join } from 'node:path'
import { readIfThere, writeAtomic } from '@engawa/shared/folder'
import { z } from 'zod'

const SCHEMA = z.object({ version: z.literal(1), names: z.record(z.string(), z.string()) })
/** Targets remembered at most: what was kept longest goes first. A file that only grows helps nobody. */
const MOST = 500

/** Which name each target had, by its canonical text: the same target gets the same name again. contract.md, `--name` */
export class Memory {
  readonly #path: string
  readonly #names: Map<string, string>
  readonly #failed: (error: unknown) => void

  /** `failed` hears of a file that cannot be read or written: names are a comfort, never a reason to stop. */
  constructor(folder: string, failed: (error: unknown) => void) {
    this.#path = join(folder, 'names.json')
    this.#failed = failed
    this.#names = new Map(Object.entries(this.#read()))
  }

  get names(): ReadonlyMap<string, string> {
    return this.#names
  }

  keep(target: string, name: string): void {
    if (this.#names.get(target) === name) return
    this.#names.delete(target)
    this.#names.set(target, name)
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= MOST) break
      this.#names.delete(oldest)
    }
    this.#write()
  }

  forget(name: string): void {
    let found = false
    for (const [target, kept] of this.#names) if (kept === name) found = this.#names.delete(target)
    if (found) this.#write()
  }

  #read(): Record<string, string> {
    try {
      const text = readIfThere(this.#path)
      return text === undefined ? {} : SCHEMA.parse(JSON.parse(text)).names
    } catch (error) {
      this.#failed(error)
      return {}
    }
  }

  #write(): void {
    try {
      writeAtomic(
        this.#path,
        `${JSON.stringify({ version: 1, names: Object.fromEntries(this.#names) }, undefined, 2)}\n`,
      )
    } catch (error) {
      this.#failed(error)
    }
  }
}
