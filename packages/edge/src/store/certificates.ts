import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import type { Ordered } from '../tls/acme/pace.ts'
import type { Problem } from '../tls/acme/problem.ts'

export interface Account {
  /** PEM. */
  readonly key: string
  /** The CA's name for it; undefined until it has answered. */
  readonly url: string | undefined
  readonly email: string | undefined
}

/** This edge at ACME CAs, one account a directory. */
export class AccountRows {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  get(directory: string): Account | undefined {
    const row = this.#database.prepare('SELECT * FROM acme_accounts WHERE directory = ?').get(directory)
    if (row === undefined) return undefined
    return { key: String(row['key']), url: text(row['url']), email: text(row['email']) }
  }

  /** Keeps a key; the one that is there already wins. */
  add(directory: string, key: string): Account {
    this.#database
      .prepare('INSERT INTO acme_accounts (directory, key) VALUES (?, ?) ON CONFLICT DO NOTHING')
      .run(directory, key)
    return this.get(directory) ?? { key, url: undefined, email: undefined }
  }

  opened(directory: string, url: string, email: string | undefined): void {
    this.#database
      .prepare('UPDATE acme_accounts SET url = ?, email = ? WHERE directory = ?')
      .run(url, email ?? null, directory)
  }

  forgetUrl(directory: string): void {
    this.#database.prepare('UPDATE acme_accounts SET url = NULL WHERE directory = ?').run(directory)
  }
}

/** A certificate by its names, and what is under way for it. Times are wall-clock milliseconds. */
export interface CertificateRow {
  /** Its names, in order, with blanks between. */
  readonly subject: string
  /** Undefined until one has been issued. PEM; `directory`: of the CA. */
  readonly issued: { readonly key: string; readonly chain: string; readonly directory: string } | undefined
  /** An order that the CA knows, with the key that its certificate will have. */
  readonly pending: { readonly url: string; readonly key: string; readonly directory: string } | undefined
  /** Since the last success. */
  readonly failures: number
  readonly nextTryAt: number
  readonly problem: Problem | undefined
}

/** How long orders are remembered: what is counted is an hour. */
const ORDERS_MS = 3_600_000

export class CertificateRows {
  readonly #database: DatabaseSync

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  all(): CertificateRow[] {
    return this.#database.prepare('SELECT * FROM certificates').all().map(toRow)
  }

  put({ subject, issued, pending, failures, nextTryAt, problem }: CertificateRow): void {
    this.#database
      .prepare('INSERT OR REPLACE INTO certificates VALUES (?, ?, ?, ?, ?, ?)')
      .run(subject, json(issued), json(pending), failures, nextTryAt, json(problem))
  }

  remove(subject: string): void {
    this.#database.prepare('DELETE FROM certificates WHERE subject = ?').run(subject)
  }

  /** Counts an order before it is made: a crash in a loop must not order without end. */
  ordered(subject: string, at: number): void {
    this.#database.prepare('DELETE FROM acme_orders WHERE at <= ? OR at > ?').run(at - ORDERS_MS, at)
    this.#database.prepare('INSERT INTO acme_orders VALUES (?, ?)').run(subject, at)
  }

  /** Orders of the hour before `now`, the oldest first. A clock that was ahead is forgiven. */
  orders(now: number): Ordered[] {
    return this.#database
      .prepare('SELECT subject, at FROM acme_orders WHERE at > ? AND at <= ? ORDER BY at')
      .all(now - ORDERS_MS, now)
      .map((row) => ({ subject: String(row['subject']), at: Number(row['at']) }))
  }
}

function toRow(row: Record<string, SQLOutputValue>): CertificateRow {
  return {
    subject: String(row['subject']),
    issued: parsed(row['issued']) as CertificateRow['issued'],
    pending: parsed(row['pending']) as CertificateRow['pending'],
    failures: Number(row['failures']),
    nextTryAt: Number(row['next_try_at']),
    problem: parsed(row['problem']) as Problem | undefined,
  }
}

function json(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

function parsed(value: SQLOutputValue | undefined): unknown {
  return value === null || value === undefined ? undefined : JSON.parse(String(value))
}

function text(value: SQLOutputValue | undefined): string | undefined {
  return value === null || value === undefined ? undefined : String(value)
}
