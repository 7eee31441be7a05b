import { shownName } from '@engawa/shared/names'
import { joinEdge } from '../join.ts'
import type { Context } from './context.ts'

export async function join({ line, folder, say, sayJson }: Context): Promise<number> {
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  const { agent, addresses } = await joinEdge(folder, line.rest.join(' '), stop.signal)
  say(line.words.joined(shownName(agent), addresses[0] ?? ''))
  const { data } = line.flags
  say(line.words.joinNext(typeof data === 'string' ? ` --data ${data}` : ''))
  sayJson({ event: 'joined', agent, addresses })
  return 0
}
