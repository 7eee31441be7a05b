import type { Code } from '@engawa/shared/errors'

/** What a generation asks of the front. All of it is plain JSON; a listening socket may go along. */
export interface FrontCalls {
  /** Makes this folder the front's own. Throws FOLDER_LOCKED, STATE_BROKEN. Idempotent. */
  enter(body: { folder: string }): void
  /** For which of these uses earlier generations have left a listening socket. */
  held(body: { keys: readonly string[] }): readonly string[]
  /** The listening socket that an earlier generation has left for this use, as handle. */
  socket(body: { key: string }): { held: boolean }
  /** This one listens, to be kept for later generations. Comes with its handle. */
  keep(body: { key: string }): void
  /** It listens there no longer. */
  drop(body: { key: string }): void
  /** Every port listens. Answered when it is this generation's turn to take what is new. */
  stand(body: { generation: number }): void
  /** It takes what is new. */
  serve(body: object): void
  /** It gives up before it serves. */
  fail(body: { code: Code; message: string; ja?: string }): void
  /** A carrier of another generation, with the bytes that were read from it (base64). Comes with its socket. */
  pass(body: Passed): void
  /** For every other generation. */
  tell(body: News): void
  /** Asks every other generation; those that do not answer are left out. */
  ask(body: Question): unknown[]
  /** A new generation from the installed file. Throws what that one threw. */
  upgrade(body: object): { generation: number; pid: number }
}

/** What the front asks of a generation. */
export interface GenerationCalls {
  /** Another generation takes what is new from now on. Answered when no port is listened on any more. */
  handOver(body: { to: number }): void
  /** Which other generations live. */
  others(body: { generations: readonly number[] }): void
  pass(body: Passed): void
  tell(body: News): void
  ask(body: Question): unknown
  /** SIGTERM or SIGINT: drain; again: at once. */
  stop(body: object): void
  /** SIGHUP. */
  hangup(body: object): void
}

export interface Passed {
  readonly serverName: string
  /** What was peeked, base64. */
  readonly early: string
  /** How long ago it connected. */
  readonly spentMs: number
}

/** What the generations tell each other. */
export type News =
  /** An agent has logged in here. protocol.md [H9] */
  | {
      readonly news: 'login'
      readonly agent: number
      readonly instance: string
      readonly address: string
    }
  /** The agent is welcome no more; what it held is free. */
  | { readonly news: 'revoked'; readonly agent: number; readonly reason: string }
  /** It has another key. */
  | { readonly news: 'rekeyed'; readonly agent: number; readonly reason: string }
  | { readonly news: 'renamed'; readonly agent: number }

/** What the generations ask each other. */
export type Question =
  | { readonly question: 'status' | 'agents' | 'tunnels' }
  /** Which instances of this agent have a session. */
  | { readonly question: 'instances'; readonly agent: number }
