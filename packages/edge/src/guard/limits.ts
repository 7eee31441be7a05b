/** What visitors may take, each figure with its unit. Their reasons: ARCHITECTURE.md, "Who is out there". */
export interface VisitorLimits {
  /** Sockets of visitors in all; past it the edge refuses early. */
  readonly connections: number
  readonly perAddress: {
    /** Open at once. */
    readonly connections: number
    /** New ones a second, after a burst. */
    readonly newPerSecond: number
    readonly burst: number
  }
  /** Sockets whose ClientHello has not been read yet. */
  readonly unpeeked: number
  /** From the TCP connection to the whole ClientHello, and for the TLS handshake. */
  readonly handshakeMs: number
  /** From the first byte of a request, or the connection, to the end of its head. */
  readonly headMs: number
  readonly headBytes: number
  readonly headFields: number
  readonly targetBytes: number
  /** A kept connection without a request. */
  readonly idleMs: number
  /** How slow a request body may be, after a grace. */
  readonly bodyBytesPerSecond: number
  readonly bodyGraceMs: number
  /** Requests sent ahead on one connection before the answers to the earlier ones. */
  readonly pipelined: number
  /** From the last byte of a request to the first of the answer. */
  readonly serviceMs: number
  readonly serviceHeadBytes: number
  /** Answers 1xx before the real one. */
  readonly interimAnswers: number
  /** A visitor that has ended its direction gets this much time between two bytes of the answer: it may just as well be gone. */
  readonly halfClosedMs: number
}

export const VISITOR_LIMITS: VisitorLimits = {
  connections: 16_384,
  perAddress: { connections: 256, newPerSecond: 100, burst: 300 },
  unpeeked: 1024,
  handshakeMs: 10_000,
  headMs: 10_000,
  headBytes: 16 * 1024,
  headFields: 100,
  targetBytes: 8 * 1024,
  idleMs: 60_000,
  bodyBytesPerSecond: 1024,
  bodyGraceMs: 10_000,
  pipelined: 128,
  serviceMs: 60_000,
  serviceHeadBytes: 32 * 1024,
  interimAnswers: 10,
  halfClosedMs: 10_000,
}
