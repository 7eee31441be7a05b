// Loaded before edge and agent with --expose-gc: at each SIGUSR2 it says, beside the program's own events,
//   counts {heap, held, sockets, timers, streams, buffered}   bytes after a full collection, of the heap and with what lies
//                                   outside it; what keeps the process busy, by kind; of its sessions, streams and their bytes
import { Session } from '../../packages/shared/src/mux/session.ts'

const sessions = new Set<Session>()
const { receive } = Object.getOwnPropertyDescriptors(Session.prototype)
Session.prototype.receive = function remember(this: Session, ...args: Parameters<Session['receive']>): void {
  sessions.add(this)
  receive.value?.apply(this, args)
}

function sum(of: 'streams' | 'bufferedBytes'): number {
  for (const session of sessions) if (session.ended) sessions.delete(session)
  return [...sessions].reduce((total, { figures }) => total + figures[of], 0)
}

process.on('SIGUSR2', () => {
  globalThis.gc?.()
  // What a finalizer has let go of goes in the second.
  setImmediate(() => {
    globalThis.gc?.()
    const kinds = process.getActiveResourcesInfo()
    const count = (kind: string): number => kinds.filter((each) => each === kind).length
    const { heapUsed, external } = process.memoryUsage()
    const counts = {
      heap: heapUsed,
      held: heapUsed + external,
      sockets: count('TCPSocketWrap'),
      timers: count('Timeout'),
      streams: sum('streams'),
      buffered: sum('bufferedBytes'),
    }
    process.stdout.write(`${JSON.stringify({ event: 'counts', ...counts })}\n`)
  })
})
