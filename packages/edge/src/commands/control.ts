import { request } from 'node:http'
import { EngawaError, isCode } from '@engawa/shared/errors'
import { plainly } from '@engawa/shared/folder'
import { holderOf } from '@engawa/shared/lock'
import { socketPath } from '../admin/socket.ts'
import { openExisting } from '../state.ts'
import type { Context } from './context.ts'

/** A running edge answers at once; past this it hangs, ms. A new process makes itself ready first. */
const PATIENCE_MS = 10_000
const WORK_MS = 90_000

/**
 * Asks the edge that runs in the folder, over `DIR/admin.sock`. Undefined: none runs.
 * Throws what the edge refused by its code, NOT_RUNNING where one runs that does not answer.
 */
export async function askEdge<Answer>(
  { folder, language, words }: Context,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<Answer | undefined> {
  const { status, text } = await exchange(socketPath(folder), { method, target: path, language, body }).catch(
    (cause: unknown) => {
      const why = (cause as NodeJS.ErrnoException).code ?? String(cause)
      if ((why === 'ENOENT' || why === 'ECONNREFUSED') && holderOf(folder) === undefined) return { status: 0, text: '' }
      if (why === 'EACCES') throw plainly(Object.assign(new Error(why), { code: why, path: folder }))
      throw new EngawaError('NOT_RUNNING', words.controlBroken(folder, why), {
        cause,
        ja: words.controlBroken(folder, why),
      })
    },
  )
  if (status === 0) return undefined
  const answer = JSON.parse(text) as Record<string, unknown>
  if (status < 400) return answer as Answer
  const { code, message } = answer
  throw new EngawaError(typeof code === 'string' && isCode(code) ? code : 'INTERNAL', String(message), {
    ja: String(message),
  })
}

/** As `askEdge`, for commands that are of no use without an edge. Throws NO_STATE, NOT_RUNNING. */
export async function askRunning<Answer>(context: Context, path: string): Promise<Answer> {
  return demandRunning<Answer>(context, 'GET', path)
}

/** As `askRunning`, for what may take a while, too. */
export async function demandRunning<Answer>(context: Context, method: 'GET' | 'POST', path: string): Promise<Answer> {
  const answer = await askEdge<Answer>(context, method, path)
  if (answer !== undefined) return answer
  openExisting(context.folder).close()
  const text = context.words.notRunning(context.folder)
  throw new EngawaError('NOT_RUNNING', text, { ja: text })
}

function exchange(
  path: string,
  { method, target, language, body }: { method: string; target: string; language: string; body: unknown },
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      'accept-language': language,
      connection: 'close',
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    }
    const signal = AbortSignal.timeout(method === 'GET' ? PATIENCE_MS : WORK_MS)
    const asking = request({ socketPath: path, method, path: target, headers, signal }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode ?? 500, text }))
      response.on('error', reject)
    })
    asking.on('error', reject)
    asking.end(payload)
  })
}
