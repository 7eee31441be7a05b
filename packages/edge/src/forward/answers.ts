import { STATUS_CODES } from 'node:http'
import { type Code, rowOf } from '@engawa/shared/errors'
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
  const language = prefers(wishes.acceptLanguage, ['en', 'ja']) === 'ja' ? 'ja' : 'en'
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

/** The best of `offers` by a field of qualities (RFC 9110 §12.4.2, §12.5); the first where the visitor does not care, or nothing fits. */
export function prefers(field: string | undefined, offers: readonly string[]): string | undefined {
  const ranges = (field ?? '*').slice(0, 1024).split(',').map(parseRange)
  const ranked = offers
    .map((offer) => ({ offer, ...fitOf(offer, ranges) }))
    .filter(({ quality }) => quality > 0)
    .toSorted((a, b) => b.quality - a.quality || b.precision - a.precision || a.position - b.position)
  return (ranked[0] ?? { offer: offers[0] }).offer
}

interface Range {
  readonly range: string
  readonly quality: number
}

function parseRange(part: string): Range {
  const [range = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
  const q = parameters.find((text) => text.startsWith('q='))
  const quality = q === undefined ? 1 : Number(q.slice(2))
  return { range, quality: quality >= 0 && quality <= 1 ? quality : 0 }
}

/** The most precise range decides. */
function fitOf(offer: string, ranges: readonly Range[]): { quality: number; precision: number; position: number } {
  let fit = { quality: 0, precision: 0, position: 0 }
  ranges.forEach(({ range, quality }, position) => {
    const exact = range === offer || range.startsWith(`${offer}-`)
    const precision = exact ? 3 : range === `${offer.split('/')[0]}/*` ? 2 : range === '*/*' || range === '*' ? 1 : 0
    if (precision > fit.precision) fit = { quality, precision, position }
  })
  return fit
}
