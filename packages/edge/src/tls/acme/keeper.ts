import type { Clock } from '@engawa/shared/carrier/clock'
import { keyPem, newKey } from '../../identity/authority.ts'
import type { Logger } from '../../log.ts'
import type { CertificateRow, CertificateRows } from '../../store/certificates.ts'
import { type PublicCertificates, type PublicPair, readPair } from '../publics.ts'
import { LETS_ENCRYPT_STAGING } from '../settings.ts'
import type { Ca, Solver } from './ca.ts'
import { allowedAt, MOST_PAUSE_MS, type PaceLimits, pauseAfter } from './pace.ts'
import type { Subject } from './plan.ts'
import { certificateError, type Problem, problemOf } from './problem.ts'

export interface KeeperOptions {
  readonly ca: Pick<Ca, 'order' | 'complete'>
  readonly directory: string
  readonly rows: CertificateRows
  /** What is to be there now. */
  readonly wanted: () => readonly Subject[]
  /** The ways to prove a certificate's names, the best first. */
  readonly solvers: (subject: Subject, failures: number) => readonly Solver[]
  readonly publics: PublicCertificates
  readonly limits: PaceLimits
  readonly clock: Clock
  /** Wall-clock milliseconds: what certificates are dated by. */
  readonly wall: () => number
  readonly log: Logger
  /** There is a certificate that was not there before. */
  readonly changed: () => void
}

/** How a certificate stands, for `edge status`. */
export interface Kept {
  readonly names: Subject
  /** End of the one that is shown, wall-clock milliseconds; undefined: none yet. */
  readonly until: number | undefined
  readonly problem: Problem | undefined
  /** When the next try is, if there was a problem. */
  readonly nextTryAt: number | undefined
}

/** A certificate is renewed when this share of its life is over. */
const RENEW_AT = 2 / 3
/** A certificate that has ended so long ago is wanted by nobody. */
const FORGET_MS = 30 * 24 * 3_600_000
/** A clock may jump: nobody sleeps longer. */
const LONGEST_SLEEP_MS = 10 * 60_000
const SHORTEST_SLEEP_MS = 500

/** Who starts an edge anew may have opened a port or set a record: only a CA's own wish to be left alone outlives that. */
function mended(row: CertificateRow): CertificateRow {
  return row.problem?.kind === 'rateLimited' ? row : { ...row, nextTryAt: 0 }
}

/**
 * Keeps the certificates that are wanted: orders them one after the other, renews them, and remembers every step, so
 * that a crash loses neither an order nor a key. A CA that fails costs nothing but time.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #rows = new Map<string, CertificateRow>()
  /** Reading a certificate takes a while, and there may be a thousand. */
  readonly #pairs = new WeakMap<object, PublicPair>()
  #wanted: { readonly subjects: readonly Subject[]; readonly names: ReadonlySet<string> } | undefined
  #timer: unknown
  #working = false
  #looking = false
  /** The rows have been read since it is this process's turn. */
  #fresh = false
  #closed = false

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#read()
  }

  /** Something may be wanted that was not. */
  look(): void {
    this.#wanted = undefined
    if (this.#looking || this.#closed) return
    this.#looking = true
    this.#options.clock.soon(() => {
      this.#looking = false
      if (!this.#working && !this.#closed) void this.#work()
    })
  }

  /** Whether the certificate of this host is the edge's business. */
  keeps(host: string): boolean {
    const { names } = this.#wants()
    return names.has(host) || names.has(`*${host.slice(host.indexOf('.'))}`)
  }

  kept(): Kept[] {
    return this.#wants().subjects.map((names) => {
      const row = this.#row(names)
      const { problem, nextTryAt } = row
      const until = row.issued === undefined ? undefined : this.#endOf(row)
      return { names, until, problem, nextTryAt: problem === undefined ? undefined : nextTryAt }
    })
  }

  /** Starts nothing any more; what runs leads to nothing. */
  close(): void {
    this.#closed = true
    this.#options.clock.clearTimer(this.#timer)
  }

  async #work(): Promise<void> {
    const { clock } = this.#options
    this.#working = true
    clock.clearTimer(this.#timer)
    let sleepMs = LONGEST_SLEEP_MS
    try {
      // A former process may have been given certificates since this one began.
      if (!this.#fresh) this.#read()
      this.#fresh = true
      for (let next = this.#next(); !this.#closed; next = this.#next()) {
        if (next.subject === undefined) {
          sleepMs = next.inMs
          break
        }
        // oxlint-disable-next-line no-await-in-loop -- one order at a time
        await this.#bring(next.subject)
      }
    } catch (error) {
      // A full disk, say: orders are counted on it, so there are none meanwhile.
      this.#options.log.error({ err: error }, 'certificates cannot be looked after')
    }
    this.#working = false
    if (this.#closed) return
    clock.clearTimer(this.#timer)
    this.#timer = clock.setTimer(() => this.look(), Math.min(Math.max(sleepMs, SHORTEST_SLEEP_MS), LONGEST_SLEEP_MS))
  }

  #read(): void {
    const { rows, wall } = this.#options
    for (const read of rows.all()) {
      const known = this.#rows.get(read.subject)?.issued
      // What has been read before need not be parsed again.
      const row = known?.chain === read.issued?.chain ? { ...read, issued: known } : read
      if (this.#endOf(row) < wall() - FORGET_MS) rows.remove(row.subject)
      else this.#show(mended(row))
    }
  }

  /** What is due now, or how long nothing is. First what has failed least, then what ends soonest. */
  #next(): { subject: Subject; inMs?: undefined } | { subject?: undefined; inMs: number } {
    const { rows, wall, limits } = this.#options
    const now = wall()
    const orders = rows.orders(now)
    const states = this.#wants().subjects.map((names) => {
      const row = this.#row(names)
      const waits = row.nextTryAt - now > MOST_PAUSE_MS ? 0 : row.nextTryAt
      // An order that is there needs no other.
      const allowed = row.pending === undefined ? allowedAt({ orders, subject: row.subject, now }, limits) : now
      return { names, row, at: Math.max(this.#neededAt(row), waits, allowed), ends: this.#endOf(row) }
    })
    const due = states
      .filter(({ at }) => at <= now)
      .toSorted((a, b) => a.row.failures - b.row.failures || a.ends - b.ends)[0]
    if (due !== undefined) return { subject: due.names }
    return { inMs: states.reduce((least, { at }) => Math.min(least, at - now), LONGEST_SLEEP_MS) }
  }

  /** 0: at once. Another CA's certificate is shown until this one's is there. */
  #neededAt({ issued }: CertificateRow): number {
    if (issued === undefined || issued.directory !== this.#options.directory) return 0
    const { from, until } = this.#pairOf(issued)
    return from + (until - from) * RENEW_AT
  }

  #endOf({ issued }: CertificateRow): number {
    return issued === undefined ? Number.MAX_SAFE_INTEGER : this.#pairOf(issued).until
  }

  #pairOf(issued: NonNullable<CertificateRow['issued']>): PublicPair {
    const { key, chain, directory } = issued
    const pair = this.#pairs.get(issued) ?? readPair({ key, cert: chain }, directory !== LETS_ENCRYPT_STAGING).pair
    this.#pairs.set(issued, pair)
    return pair
  }

  #wants(): { readonly subjects: readonly Subject[]; readonly names: ReadonlySet<string> } {
    if (this.#wanted === undefined) {
      const subjects = this.#options.wanted()
      this.#wanted = { subjects, names: new Set(subjects.flat()) }
    }
    return this.#wanted
  }

  async #bring(names: Subject): Promise<void> {
    const { ca, directory, rows, wall, log } = this.#options
    const before = this.#row(names)
    const { subject } = before
    const resumed = before.pending?.directory === directory ? before.pending : undefined
    let pending = resumed
    try {
      const solvers = this.#options.solvers(names, before.failures)
      // The CA is not asked for what cannot come to an end.
      if (solvers.length === 0) {
        const wild = names.find((name) => name.startsWith('*.')) ?? ''
        throw certificateError({ kind: 'needsDns', host: wild.slice(2), detail: 'only DNS-01 can prove it' })
      }
      if (pending === undefined) {
        rows.ordered(subject, wall())
        const key = keyPem(newKey())
        pending = { url: await ca.order(names), key, directory }
        if (this.#closed) return
        this.#put({ ...before, pending })
      }
      const { url, key } = pending
      const chain = await ca.complete(url, { hosts: names, key, solvers })
      if (this.#closed) return
      readPair({ key, cert: chain }, true)
      const issued = { key, chain, directory }
      this.#show(this.#put({ subject, issued, pending: undefined, failures: 0, nextTryAt: 0, problem: undefined }))
      log.info({ names, until: new Date(this.#endOf(this.#row(names))) }, 'certificate issued')
      this.#options.changed()
    } catch (error) {
      if (this.#closed) return
      const problem = problemOf(error)
      const lasts = problem.kind === 'caUnreachable' || problem.kind === 'caBroken'
      // The order of a former run was over, or the CA does not know it any more: make another one, at once.
      if (resumed !== undefined && !lasts) return void this.#put({ ...before, pending: undefined })
      const failures = before.failures + 1
      const nextTryAt = wall() + pauseAfter(failures, problem.retryMs)
      this.#put({ ...before, pending: lasts ? pending : undefined, failures, nextTryAt, problem })
      log.warn({ names, problem, failures, nextTry: new Date(nextTryAt) }, 'no certificate yet')
    }
  }

  #row(names: Subject): CertificateRow {
    const subject = names.join(' ')
    const none = { issued: undefined, pending: undefined, failures: 0, nextTryAt: 0, problem: undefined }
    return this.#rows.get(subject) ?? { subject, ...none }
  }

  #put(row: CertificateRow): CertificateRow {
    this.#options.rows.put(row)
    this.#rows.set(row.subject, row)
    return row
  }

  #show(row: CertificateRow): void {
    this.#rows.set(row.subject, row)
    if (row.issued !== undefined) this.#options.publics.keep(row.subject.split(' '), this.#pairOf(row.issued))
  }
}
