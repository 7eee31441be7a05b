import { STATUS_CODES } from 'node:http'
import { type Code, rowOf } from '@engawa/shared/errors'
import { pageLanguage, prefers } from '@engawa/shared/prefers'
import type { VisitorRequest, VisitorResponse } from './message.ts'
import { page } from './page.ts'
import type { Pages } from './pages.ts'
import { wordsOf } from './words.ts'

/** An answer of the edge's own. */
export interface Answer {
  readonly status: number
  readonly fields: Record<string, string>
  readonly body: string
}

/** Seconds after which a visitor may try again: an agent is back within the first steps of its back-off. */
const RETRY_AFTER_S = 5
/** The pages of the edge load nothing and run nothing. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

/** In the form and language that the visitor asked for. `pages`: the owner's, in place of ours. */
export function answerFor(
  code: Code,
  wishes: { accept?: string | undefined; acceptLanguage?: string | undefined },
  pages?: Pages,
): Answer {
  const status = rowOf(code).status ?? 500
  const language = pageLanguage(wishes.acceptLanguage)
  const { title, text } = wordsOf(code, language)
  const form = prefers(wishes.accept, ['text/plain', 'application/json', 'text/html'])
  const own = form === 'text/html' ? pages?.find(code, status, language) : undefined
  const [type, body] =
    form === 'text/html'
      ? ['text/html; charset=utf-8', own ?? page({ language, title, text, status, code })]
      : form === 'application/json'
        ? ['application/json; charset=utf-8', `${JSON.stringify({ status, code, title, message: text })}\n`]
        : ['text/plain; charset=utf-8', `${title} (${code})\n${text}\n`]
  return {
    status,
    body,
    fields: {
      'Content-Type': type,
      'Content-Length': String(Buffer.byteLength(body)),
      // An owner's page may be in any language, and load what its owner wants.
      ...(own === undefined ? { 'Content-Language': language, 'Content-Security-Policy': POLICY } : {}),
      'Engawa-Error': code,
      'Cache-Control': 'no-store',
      Vary: 'Accept, Accept-Language',
      'X-Content-Type-Options': 'nosniff',
      ...(status === 503 || status === 429 ? { 'Retry-After': String(RETRY_AFTER_S) } : {}),
      ...(status === 405 ? { Allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' } : {}),
    },
  }
}

/** Answers a request instead of its service. Does nothing when an answer is under way. `close`: nothing more is read from this visitor's connection. */
export function answer(
  request: Pick<VisitorRequest, 'method' | 'headers'>,
  response: VisitorResponse,
  code: Code,
  options: { close?: boolean; pages?: Pages } = {},
): void {
  if (response.headersSent) return
  const { accept, 'accept-language': acceptLanguage } = request.headers
  const { status, fields, body } = answerFor(code, { accept, acceptLanguage }, options.pages)
  const all = options.close === true ? { ...fields, Connection: 'close' } : fields
  response.writeHead(status, STATUS_CODES[status], Object.entries(all).flat())
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** For what never became a request: the parser gave up, or the door is shut. */
export function rawAnswer(code: Code): string {
  const { status, fields, body } = answerFor(code, { accept: 'text/plain' })
  const lines = Object.entries({ ...fields, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`
}
