import type { Code } from '@engawa/shared/errors'

/** One request, as the access log tells of it when nothing more of it is to come. */
export interface AccessEntry {
  /** When it ended, milliseconds since 1970. */
  readonly at: number
  readonly visitor: string
  /** As asked for; empty where it was not to be read. */
  readonly host: string
  readonly method: string
  /** With its query; what is written has the query's values left out. */
  readonly target: string
  /** `1.0`, `1.1`, `2.0`; empty where it was not to be read. */
  readonly version: string
  readonly secure: boolean
  /** 499: the visitor left before there was one. */
  readonly status: number
  /** Payload bytes from and to the visitor. */
  readonly received: number
  readonly sent: number
  /** Until the answer's head went out; undefined when none did. */
  readonly firstByteMs: number | undefined
  readonly ms: number
  /** Who answered: the service, or the edge in its place. */
  readonly by: 'service' | 'edge'
  readonly tunnel: string | undefined
  readonly agent: string | undefined
  readonly code: Code | undefined
  readonly referrer: string | undefined
  readonly userAgent: string | undefined
}

/** Takes each request once. Never throws, never waits. */
export type Account = (entry: AccessEntry) => void
