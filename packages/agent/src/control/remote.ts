import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { EngawaError, isCode } from '@engawa/shared/errors'
import { complaint } from '../complaint.ts'
import type { ShownEvent } from '../events.ts'
import type { TypedWish } from '../wish.ts'
import { socketPath } from './server.ts'

/** Asks the process that holds the session of `folder`. Throws NOT_RUNNING where none does, else what it answered. */
export async function ask(folder: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await begin(folder, method, path, body)
  let text = ''
  response.setEncoding('utf8')
  for await (const chunk of response) text += chunk as string
  const value: unknown = JSON.parse(text)
  if (response.statusCode !== 200) throw errorOf(value)
  return value
}

export interface Following {
  /** Resolves when the holder has gone, or after `close`. */
  readonly ended: Promise<void>
  close(): void
}

/** Registers with the holder for as long as the answer stays open. Throws NOT_RUNNING, or what it answered. */
export async function follow(
  folder: string,
  wishes: readonly TypedWish[],
  tell: (event: ShownEvent) => void,
): Promise<Following> {
  const response = await begin(folder, 'POST', '/tunnels', { wishes })
  if (response.statusCode !== 200) {
    let text = ''
    for await (const chunk of response) text += String(chunk)
    throw errorOf(JSON.parse(text))
  }
  const lines = createInterface({ input: response })
  lines.on('line', (line) => tell(JSON.parse(line) as ShownEvent))
  // A holder that was killed breaks the answer off: the same as its end.
  lines.on('error', () => {})
  return {
    ended: new Promise((resolve) => response.once('close', resolve)),
    close: () => void response.destroy(),
  }
}

async function begin(folder: string, method: string, path: string, body: unknown): Promise<IncomingMessage> {
  const sent: ClientRequest = request({
    socketPath: socketPath(folder),
    method,
    path,
    headers: { host: 'agent', connection: 'close' },
  })
  sent.end(body === undefined ? undefined : JSON.stringify(body))
  try {
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    return response
  } catch (cause) {
    throw complaint('NOT_RUNNING', (words) => words.notRunning, cause)
  } finally {
    sent.on('error', () => {})
  }
}

function errorOf(value: unknown): EngawaError {
  const { code, message, ja } = value as { code?: string; message?: string; ja?: string }
  return new EngawaError(
    code !== undefined && isCode(code) ? code : 'INTERNAL',
    message,
    ja === undefined ? {} : { ja },
  )
}
