import { RIVALS, type Rival } from './rivals.ts'
import type { Row } from './rows.ts'
import { lackingFor, type Way, type WayName, Ways } from './ways.ts'

/** The ways that a row can have on this machine: what is not installed is left out, and said to be, and so is what does not work. */
export class Standing {
  /** One was there and did not work. */
  faulty = false
  readonly #ways = new Ways()
  readonly #out = new Set<WayName>()
  readonly #told = new Set<string>()

  /** In the row's order; none where what it measures or is held against is missing. */
  async of(row: Row): Promise<Way[]> {
    const rivals = row.rivals ? (Object.keys(RIVALS) as Rival[]) : []
    const found: Way[] = []
    for (const name of [...row.ways, ...rivals]) {
      // oxlint-disable-next-line no-await-in-loop -- a way that starts would disturb another
      const way = await this.#get(name)
      if (way !== undefined) found.push(way)
    }
    const [own, against] = row.ways
    const isWhole = [own, against].every((name) => found.some((way) => way.name === name))
    if (!isWhole) this.#tell(`${row.id} is left out: there is no ${against} to hold it against`)
    return isWhole ? found : []
  }

  close(): Promise<void> {
    return this.#ways.close()
  }

  async #get(name: WayName): Promise<Way | undefined> {
    if (this.#out.has(name)) return undefined
    const lacking = lackingFor(name)
    if (lacking.length > 0) {
      this.#out.add(name)
      // Nobody has to have the rivals.
      if (!(name in RIVALS)) this.#tell(`without ${name}: ${lacking.join(', ')} not installed here`)
      return undefined
    }
    try {
      return await this.#ways.get(name)
    } catch (error) {
      // Our own have to stand.
      if (name.startsWith('engawa')) throw error
      this.#out.add(name)
      this.faulty = true
      this.#tell(`without ${name}, which is installed but does not work: ${String(error)}`)
      return undefined
    }
  }

  #tell(line: string): void {
    if (!this.#told.has(line)) console.error(line)
    this.#told.add(line)
  }
}
