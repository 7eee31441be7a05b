import type { IncomingHttpHeaders } from 'node:http'

/** What a visitor asks, over HTTP/1.1 (`IncomingMessage`) or HTTP/2. */
export interface VisitorRequest {
  readonly method?: string | undefined
  /** Origin-form. */
  readonly url?: string | undefined
  readonly httpVersion: string
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as of HTTP/1.1. */
  readonly rawHeaders: string[]
  readonly rawTrailers: string[]
  /** The whole body has come. */
  readonly complete: boolean
  on(event: 'data', listener: (chunk: Buffer) => void): unknown
  once(event: 'end' | 'close', listener: () => void): unknown
  removeAllListeners(event: 'data'): unknown
  pause(): unknown
  resume(): unknown
  isPaused(): boolean
}

/** Told of an answer on its way. */
export interface ResponseEvents {
  /** The visitor takes more. */
  drained(): void
  /** All of it has gone out. */
  finished(): void
  /** Once, last: also where it did not. */
  closed(): void
}

/** How a visitor is answered. `ServerResponse` is one. */
export interface VisitorResponse {
  readonly statusCode: number
  readonly headersSent: boolean
  readonly destroyed: boolean
  readonly writableEnded: boolean
  readonly writableFinished: boolean
  /** Trailers can follow the body. */
  readonly chunkedEncoding: boolean
  /** `fields`: names and values in turn; `ended`: nothing will follow, which only HTTP/2 can say. Throws for what can't be sent. */
  writeHead(status: number, message: string | undefined, fields: string[], ended?: boolean): unknown
  write(chunk: Uint8Array): boolean
  end(body?: string): unknown
  addTrailers(fields: [string, string][]): void
  writeContinue(): void
  writeInformation(status: number, fields: Record<string, string[]>): unknown
  flushHeaders(): void
  on(event: 'drain', listener: () => void): unknown
  once(event: 'close' | 'finish', listener: () => void): unknown
  /** What is written is copied: it is the caller's again when `write` returns. */
  readonly copies?: boolean
  /** For one who wants all three events, where there is a cheaper way than `on` and `once`. There the head never waits for the body. */
  follow?(events: ResponseEvents): void
}
