import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { type Grant, readGrant } from '../identity/grant.ts'

export interface AgentRow {
  readonly id: number
  readonly name: string
  /** Raw Ed25519 public key, 32 bytes; undefined once revoked. */
  readonly key: Uint8Array | undefined
  readonly grant: Grant
  /** Wall-clock milliseconds. */
  readonly joinedAt: number
  readonly seenAt: number | undefined
  readonly revokedAt: number | undefined
}

/** Agents by id; a name and a key each lead to one. Says nothing about who is connected. */
export class AgentRows {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  all(): AgentRow[] {
    return this.#database.prepare('SELECT * FROM agents ORDER BY name').all().map(toAgent)
  }

  byId(id: number): AgentRow | undefined {
    return one(this.#database.prepare('SELECT * FROM agents WHERE id = ?').get(id))
  }

  byName(name: string): AgentRow | undefined {
    return one(this.#database.prepare('SELECT * FROM agents WHERE name = ?').get(name))
  }

  byKey(key: Uint8Array): AgentRow | undefined {
    return one(this.#database.prepare('SELECT * FROM agents WHERE key = ?').get(key))
  }

  /** The name of the agent that had this key before it was revoked, replaced or given back. */
  formerOwner(key: Uint8Array): string | undefined {
    const row = this.#database.prepare('SELECT agent FROM old_keys WHERE key = ?').get(key)
    return row === undefined ? undefined : String(row['agent'])
  }

  /** Throws what SQLite does for a name or key that is there. */
  add(agent: { name: string; key: Uint8Array; grant: Grant; now: number }): void {
    this.#database
      .prepare('INSERT INTO agents (name, key, limits, joined_at) VALUES (?, ?, ?, ?)')
      .run(agent.name, agent.key, JSON.stringify(agent.grant), agent.now)
  }

  /** Gives the agent another key and grant, and makes it welcome again. The key it had is known as an old one from now on. */
  rekey(id: number, change: { key: Uint8Array; grant: Grant; now: number }): void {
    this.#retire(id, change.now)
    this.#database.prepare('DELETE FROM old_keys WHERE key = ?').run(change.key)
    this.#database
      .prepare('UPDATE agents SET key = ?, limits = ?, joined_at = ?, revoked_at = NULL WHERE id = ?')
      .run(change.key, JSON.stringify(change.grant), change.now, id)
  }

  revoke(id: number, now: number): void {
    this.#retire(id, now)
    this.#database.prepare('UPDATE agents SET key = NULL, revoked_at = ? WHERE id = ?').run(now, id)
  }

  rename(id: number, name: string): void {
    this.#database.prepare('UPDATE agents SET name = ? WHERE id = ?').run(name, id)
  }

  /** Forgets the agent and, with it, its leases. Its key is known as an old one, also to whoever restores a backup. */
  remove(id: number, now: number): void {
    this.#retire(id, now)
    this.#database.prepare('DELETE FROM agents WHERE id = ?').run(id)
  }

  seen(id: number, now: number): void {
    this.#database.prepare('UPDATE agents SET seen_at = ? WHERE id = ?').run(now, id)
  }

  #retire(id: number, now: number): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO old_keys SELECT key, name, ? FROM agents WHERE id = ? AND key IS NOT NULL')
      .run(now, id)
  }
}

type Row = Record<string, SQLOutputValue>

function one(row: Row | undefined): AgentRow | undefined {
  return row === undefined ? undefined : toAgent(row)
}

function toAgent(row: Row): AgentRow {
  return {
    id: Number(row['id']),
    name: String(row['name']),
    key: row['key'] instanceof Uint8Array ? row['key'] : undefined,
    grant: readGrant(String(row['limits'])),
    joinedAt: Number(row['joined_at']),
    seenAt: time(row['seen_at']),
    revokedAt: time(row['revoked_at']),
  }
}

function time(value: SQLOutputValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value)
}
