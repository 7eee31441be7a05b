import type { Code } from '../errors.ts'

/** Monotonic milliseconds, always an argument: the core owns no clock. */
export type Millis = number

/** `[carrier number, ledgered bytes received on it]`, as in attach, welcome and LOST. protocol.md §6 */
export type LostEntry = readonly [carrier: number, received: number]

/** What the owner of a stream is told. Set as `stream.handler`, at the latest while handling `opened`. */
export interface StreamHandler {
  /** Bytes in order, the caller's again when it returns. Call `stream.consumed(n)` once they are taken: that returns the credit. */
  data(bytes: Uint8Array): void
  /** The peer's direction has ended, all its bytes were handed over. */
  end(): void
  /** The stream is gone, by the peer or with its session; nothing follows. Not called for a `reset` of one's own. */
  reset(code: Code): void
  /** There is room for writing again after `room` was 0 or less. */
  drain(): void
  /** The agent has reached the service (edge only). */
  accepted?(): void
}

/** One ordered, resumable, two-way stream of bytes. protocol.md §4 */
export interface Stream {
  /** 0 until its OPEN has gone out (edge), fixed afterwards. */
  readonly id: number
  /** The encoded opening. protocol.md §7 */
  readonly opening: Uint8Array
  handler: StreamHandler | undefined
  /** Bytes that may be written before the owner should wait for `drain`. May be negative. */
  readonly room: number
  /** Bytes received and sent so far, payload only. */
  readonly received: number
  readonly sent: number
  /** Closed in both directions or reset. */
  readonly closed: boolean
  /**
   * Keeps a reference to `bytes` until the peer has acknowledged them: do not change them; `release` is called then, or when
   * they were dropped unsent. So many bytes as `headroom` before them are free for frame headers.
   */
  write(bytes: Uint8Array, release?: () => void, headroom?: number): void
  /** Ends our direction once everything written has gone. */
  end(): void
  /** Drops both directions. Idempotent. */
  reset(code: Code): void
  /** Returns credit for `count` bytes that were taken. */
  consumed(count: number): void
  /** Says that the service was reached (agent only). */
  accept(): void
}

/** State of one carrier as measured, for `status`. */
export interface CarrierState {
  readonly number: number
  readonly suspect: boolean
  /** Milliseconds; undefined before the first PONG. */
  readonly rttMs: number | undefined
  readonly minRttMs: number | undefined
  readonly inFlightBytes: number
  readonly capBytes: number
  /** Bytes per second, as acknowledged; undefined before it is known. */
  readonly rate: number | undefined
  readonly sentBytes: number
  readonly receivedBytes: number
  /** Stream bytes among the sent ones that a lost carrier had taken before. */
  readonly resentBytes: number
  /** The last proof of life. */
  readonly lastReadAt: Millis
}

export interface SessionFigures {
  readonly streams: number
  readonly resentBytes: number
  readonly carriersLost: number
  readonly framesDropped: number
  readonly datagramsDropped: number
  readonly bufferedBytes: number
  readonly grantedBytes: number
}

/** What a session tells its owner, in order. */
export type SessionEvent =
  | { readonly type: 'opened'; readonly stream: Stream }
  | { readonly type: 'accepted'; readonly stream: Stream }
  | { readonly type: 'data'; readonly stream: Stream; readonly bytes: Uint8Array }
  | { readonly type: 'ended'; readonly stream: Stream }
  | { readonly type: 'reset'; readonly stream: Stream; readonly code: Code }
  | { readonly type: 'drain'; readonly stream: Stream }
  /** One whole message of stream 0, its JSON bytes. */
  | { readonly type: 'message'; readonly bytes: Uint8Array }
  /** `opening` is there on the edge-to-agent datagrams that carry one. `closed`: the peer has forgotten the flow. */
  | {
      readonly type: 'datagram'
      readonly flow: number
      readonly opening: Uint8Array | undefined
      readonly bytes: Uint8Array
    }
  | { readonly type: 'flowClosed'; readonly flow: number }
  | { readonly type: 'carrierSuspect'; readonly carrier: number }
  | { readonly type: 'carrierTrusted'; readonly carrier: number }
  /** The owner closes the socket of that carrier. */
  | { readonly type: 'carrierLost'; readonly carrier: number; readonly why: 'closed' | 'silent' | 'peer' }
  /** The last carrier is gone: time stands still for the streams until `resumed`. */
  | { readonly type: 'away' }
  | { readonly type: 'resumed'; readonly awayMs: number; readonly streams: number }
  /** The session is over. Every live stream's `reset` came before. Flush what `pull` still gives (a GOAWAY), then close the carriers. */
  | { readonly type: 'closed'; readonly code: Code; readonly reason: string; readonly byPeer: boolean }
