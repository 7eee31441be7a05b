import { connect, type NetConnectOpts } from 'node:net'

/** What came back to the bytes of a row. */
export interface Heard {
  /** Status of each answer, interim ones left out. */
  readonly answers: readonly number[]
  readonly text: string
}

/** Sends bytes and FIN on a connection of their own, and hears to the end, however it comes. */
export function ask(where: NetConnectOpts, bytes: string): Promise<Heard> {
  return new Promise((resolve) => {
    const socket = connect({ ...where, allowHalfOpen: true })
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => {
      text += part
    })
    socket.on('error', () => {})
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      // Bodies of the service and plain answers of the edge end in a line feed, so each head begins a line.
      const answers = [...text.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status))
      resolve({ answers: answers.filter((status) => status !== 100), text })
    })
    socket.end(Buffer.from(bytes, 'latin1'))
  })
}
