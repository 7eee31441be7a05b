import type { DatabaseSync } from 'node:sqlite'

/** What the running edge leaves for `edge invite`, so that it works while none runs. */
export interface Effective {
  readonly domain: string
  /** What agents dial, `HOST:PORT`, best first. */
  readonly addresses: readonly string[]
  /** Who those addresses reach: anyone, this network, this machine. */
  readonly reach: 'public' | 'private' | 'local'
  /** Of its certificates, as a CAA record names it. */
  readonly issuer?: string
}

export class MetaRows {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** A number that no earlier run of this edge had. protocol.md [C1] */
  nextGeneration(): number {
    const row = this.#database
      .prepare(
        `INSERT INTO meta VALUES ('generation', '1')
         ON CONFLICT DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) RETURNING value`,
      )
      .get()
    return Number(row?.['value'])
  }

  get effective(): Effective | undefined {
    const row = this.#database.prepare(`SELECT value FROM meta WHERE key = 'effective'`).get()
    return row === undefined ? undefined : (JSON.parse(String(row['value'])) as Effective)
  }

  set effective(effective: Effective) {
    // It seldom differs from the last run's, and each write waits for the disk.
    this.#database
      .prepare(
        `INSERT INTO meta VALUES ('effective', ?)
         ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value`,
      )
      .run(JSON.stringify(effective))
  }
}
