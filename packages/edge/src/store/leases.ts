import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { PortRange } from '@engawa/shared/ports'
import type { Protocol } from '@engawa/shared/wire/opening'
import type { RuleTexts } from '../guard/rules.ts'

/** A name that an agent holds, and what goes with it. Of those that share a name the second is called `web+2`. */
export interface Lease {
  readonly name: string
  /** The holder's id. */
  readonly agent: number
  readonly protocol: Protocol
  /** Own domains, without the name's own host under the edge's domain. */
  readonly hosts: readonly string[]
  readonly path: string | undefined
  readonly ports: PortRange | undefined
  readonly target: string
  readonly rules: RuleTexts
  /** It answers at the edge's bare address, too. */
  readonly bare: boolean
  /** Others may stand behind the same name. */
  readonly balance: boolean
  /** False once the agent has taken it off: the name stays its own, and its ports stay closed. */
  readonly published: boolean
}

export class LeaseRows {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  /** The one taken first comes first. */
  all(): Lease[] {
    return this.#database.prepare('SELECT * FROM leases ORDER BY rowid').all().map(toLease)
  }

  /** Takes the name, or changes what goes with it. */
  put(lease: Lease, now: number): void {
    this.#database
      .prepare(
        `INSERT INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET agent = excluded.agent, protocol = excluded.protocol, hosts = excluded.hosts,
           path = excluded.path, first_port = excluded.first_port, last_port = excluded.last_port, target = excluded.target, published = excluded.published,
           rules = excluded.rules, bare = excluded.bare,
           balance = excluded.balance`,
      )
      .run(
        lease.name,
        lease.agent,
        lease.protocol,
        JSON.stringify(lease.hosts),
        lease.path ?? null,
        lease.ports?.[0] ?? null,
        lease.ports?.[1] ?? null,
        lease.target,
        lease.published ? 1 : 0,
        now,
        JSON.stringify(lease.rules),
        lease.bare ? 1 : 0,
        lease.balance ? 1 : 0,
      )
  }

  remove(name: string): void {
    this.#database.prepare('DELETE FROM leases WHERE name = ?').run(name)
  }

  removeOf(agent: number): void {
    this.#database.prepare('DELETE FROM leases WHERE agent = ?').run(agent)
  }
}

function toLease(row: Record<string, SQLOutputValue>): Lease {
  const first = row['first_port']
  return {
    name: String(row['name']),
    agent: Number(row['agent']),
    protocol: String(row['protocol']) as Protocol,
    hosts: JSON.parse(String(row['hosts'])) as string[],
    path: row['path'] === null ? undefined : String(row['path']),
    ports: first === null ? undefined : [Number(first), Number(row['last_port'])],
    target: String(row['target']),
    bare: row['bare'] === 1,
    balance: row['balance'] === 1,
    published: row['published'] === 1,
    rules: JSON.parse(String(row['rules'])) as RuleTexts,
  }
}
