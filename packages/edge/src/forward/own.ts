import { STATUS_CODES } from 'node:http'
import type { Admission, Visitor } from '../admit.ts'
import { isTrusted } from '../guard/door.ts'
import type { CheckedHead } from '../guard/head.ts'
import { saidByProxy } from './headers.ts'
import type { VisitorRequest, VisitorResponse } from './message.ts'

interface Asked {
  readonly visitor: Visitor
  readonly head: CheckedHead
  readonly request: VisitorRequest
  readonly response: VisitorResponse
}

/** Answers a CA that looks whether a name is ours; false for every other request. RFC 8555 §8.3 */
export function answerChallenge({ publicWeb }: Admission, path: string, asked: Asked): boolean {
  const challenge = publicWeb.challenge(asked.head.authority.name, path)
  if (challenge === undefined) return false
  say(asked, challenge.text === undefined ? 404 : 200, challenge.text)
  return true
}

/** Sends a visitor over plain HTTP to HTTPS where browsers trust that; false: it stays. Behind a trusted proxy only who came to it by plain HTTP goes. */
export function sendToHttps({ publicWeb, trusted }: Admission, asked: Asked): boolean {
  const { visitor, request, head } = asked
  if (visitor.secure || visitor.ownPort) return false
  const behind = isTrusted(trusted, visitor.peer.address)
  if (behind && saidByProxy(request.rawHeaders).proto !== 'http') return false
  const url = publicWeb.secureUrl(head.authority.name, request.url ?? '/')
  if (url === undefined) return false
  say(asked, 308, undefined, ['Location', url])
  return true
}

function say({ request, response }: Asked, status: number, text = '', more: readonly string[] = []): void {
  const type = text === '' ? [] : ['Content-Type', 'text/plain; charset=utf-8']
  const fields = [...type, 'Content-Length', String(text.length), 'Cache-Control', 'no-store', ...more]
  response.writeHead(status, STATUS_CODES[status], fields)
  response.end(request.method === 'HEAD' || text === '' ? undefined : text)
}
