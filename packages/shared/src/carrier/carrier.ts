import type { Endpoint } from '../wire/opening.ts'

/**
 * Moves bytes between the two ends, in order, as payload of binary messages; message boundaries mean nothing.
 * protocol.md [C4]
 *
 * Nothing is read before `onBytes` is set: what came right behind the handshake waits for it.
 */
export interface Carrier {
  readonly remote: Endpoint
  readonly local: Endpoint
  /** Sent and not yet taken by the kernel: at 0 it holds no buffer that was sent. */
  readonly backlogBytes: number
  /**
   * Sends one binary message. Keeps references to the buffers until they are written. So many bytes as `headroom` before
   * the first one may be written to. With `isPiece`, `onDrained` follows as soon as it is written.
   */
  send(buffers: readonly Uint8Array[], headroom?: number, isPiece?: boolean): void
  /** In order: what was sent before still goes out. */
  close(): void
  destroy(): void
  /** `bytes` are the caller's again when it returns. */
  onBytes: (bytes: Uint8Array) => void
  onDrained: () => void
  /** Once, also when it had closed before this was set. */
  onClosed: (error?: Error) => void
}
