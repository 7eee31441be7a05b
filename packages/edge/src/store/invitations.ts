import type { DatabaseSync } from 'node:sqlite'
import { type Grant, readGrant } from '../identity/grant.ts'

export interface InvitationRow {
  /** SHA-256 of the secret. */
  readonly hash: Uint8Array
  /** Of the agent it is for. */
  readonly name: string
  /** Undefined: a known agent keeps its grant. */
  readonly grant: Grant | undefined
  /** Wall-clock milliseconds. */
  readonly madeAt: number
  readonly expiresAt: number
  /** Who used it; undefined while it is good. */
  readonly usedKey: Uint8Array | undefined
}

/** How long a used or expired invitation is remembered, so that people are told which it is, ms. */
const MEMORY_MS = 30 * 86_400_000

export class InvitationRows {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  byHash(hash: Uint8Array): InvitationRow | undefined {
    const row = this.#database.prepare('SELECT * FROM invitations WHERE hash = ?').get(hash)
    if (row === undefined) return undefined
    return {
      hash,
      name: String(row['name']),
      grant: row['limits'] === null ? undefined : readGrant(String(row['limits'])),
      madeAt: Number(row['made_at']),
      expiresAt: Number(row['expires_at']),
      usedKey: row['used_key'] instanceof Uint8Array ? row['used_key'] : undefined,
    }
  }

  /** Adds one, and forgets those long over. */
  add({ hash, name, grant, madeAt, expiresAt }: Omit<InvitationRow, 'usedKey'>): void {
    this.#database.prepare('DELETE FROM invitations WHERE expires_at < ?').run(madeAt - MEMORY_MS)
    this.#database
      .prepare('INSERT INTO invitations (hash, name, limits, made_at, expires_at) VALUES (?, ?, ?, ?, ?)')
      .run(hash, name, grant === undefined ? null : JSON.stringify(grant), madeAt, expiresAt)
  }

  use(hash: Uint8Array, key: Uint8Array, now: number): void {
    this.#database.prepare('UPDATE invitations SET used_key = ?, used_at = ? WHERE hash = ?').run(key, now, hash)
  }

  /** A revoked agent cannot come back by a line that was printed before. */
  withdraw(name: string): void {
    this.#database.prepare('DELETE FROM invitations WHERE name = ? AND used_key IS NULL').run(name)
  }

  rename(from: string, to: string): void {
    this.#database.prepare('UPDATE invitations SET name = ? WHERE name = ?').run(to, from)
  }
}
