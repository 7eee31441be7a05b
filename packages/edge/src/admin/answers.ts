import { type Code, codeOf, EngawaError, rowOf } from '@engawa/shared/errors'
import { type Language, told } from '@engawa/shared/say'

export interface Answer {
  readonly status: number
  readonly body: { readonly code: Code; readonly message: string }
}

/** Of codes that have no status of their own, since no visitor is ever told them. */
const STATUS: Partial<Record<Code, number>> = {
  AGENT_UNKNOWN: 404,
  NAME_TAKEN: 409,
  EDGE_DRAINING: 503,
}

/** What the API says of anything thrown. Only our own errors and fastify's complaints about the request show their text. */
export function answerOf(error: unknown, language: Language): Answer {
  if (error instanceof EngawaError) return answer(statusOf(error.code), error.code, told(error, language))
  const { statusCode, message } = error as { statusCode?: number; message?: string }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return answer(
      statusCode,
      statusCode === 405 ? 'METHOD_REFUSED' : 'REQUEST_INVALID',
      message ?? 'the request is wrong',
    )
  }
  return answer(500, codeOf(error), 'something went wrong here; the log of the edge says what')
}

export function answer(status: number, code: Code, message: string): Answer {
  return { status, body: { code, message } }
}

function statusOf(code: Code): number {
  const { status, fault } = rowOf(code)
  return STATUS[code] ?? status ?? (fault === 'user' || fault === 'peer' ? 400 : 500)
}
