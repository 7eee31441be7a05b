import { connect } from 'node:tls'
import { FLAG, frame, frames, OPENING, statusOf, TYPE } from './frames.ts'

/** The answer on stream 1, or that there was none: the stream was reset or the connection ended. */
export type Outcome = number | 'refused'

/** Sends frames on a connection of their own and waits for what becomes of stream 1. */
export function ask(where: { port: number; servername: string }, sent: readonly Buffer[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ ...where, host: '127.0.0.1', ALPNProtocols: ['h2'], rejectUnauthorized: false })
    const read = { bytes: Buffer.alloc(0) }
    let status: number | undefined
    const settle = (outcome: Outcome): void => {
      resolve(outcome)
      socket.destroy()
    }
    socket.on('secureConnect', () => socket.write(Buffer.concat([OPENING, ...sent])))
    socket.on('data', (chunk: Buffer) => {
      read.bytes = Buffer.concat([read.bytes, chunk])
      for (const { type, flags, stream, payload } of frames(read)) {
        if (type === TYPE.settings && flags !== FLAG.ack) socket.write(frame(TYPE.settings, FLAG.ack, 0))
        if (type === TYPE.goaway) return settle('refused')
        if (stream !== 1) continue
        if (type === TYPE.reset) return settle(status ?? 'refused')
        if (type === TYPE.headers) {
          const said = statusOf(payload)
          status = said === 100 ? undefined : (status ?? said)
        }
        if ((type === TYPE.headers || type === TYPE.data) && (flags & FLAG.endStream) !== 0)
          return settle(status ?? 'refused')
      }
      return undefined
    })
    socket.on('error', () => {})
    socket.on('close', () => settle(status ?? 'refused'))
  })
}
