import { Socket } from 'node:net'

/** Takes what was read into `buffer`. Answers where the next read goes: by default the same buffer. */
export type Take = (count: number, buffer: Uint8Array) => Uint8Array | undefined

type Open = Record<symbol, unknown> & Record<'_handle', { useUserBuffer?: (buffer: Uint8Array) => void } | undefined>

/** Where Node keeps the `onread` of net.connect. */
const SLOTS = slotsOf(new Socket() as unknown as Open)

/**
 * Reads a connected socket into buffers of ours from now on, instead of into a new one for each read: what `onread` of
 * net.connect does, for sockets that were accepted or wrap another, where Node has no way for it.
 *
 * False where this Node is made otherwise than we know it: then everything comes by 'data', as it does with what was
 * read or unshifted before. `pause` and `resume` work as ever.
 */
export function readInto(socket: Socket, first: Uint8Array, take: Take): boolean {
  const open = socket as unknown as Open
  const { _handle: handle } = open
  if (SLOTS === undefined || typeof handle?.useUserBuffer !== 'function') return false
  if (open[SLOTS.buffer] !== null && !given.delete(socket)) return false
  let next = first
  open[SLOTS.buffer] = first
  open[SLOTS.callback] = (count: number, buffer: Uint8Array): boolean => {
    // TLS hands on every record that it has, paused or not: none may overtake what was put back meanwhile.
    if (socket.readableLength > 0) return socket.push(Buffer.from(buffer.subarray(0, count)))
    next = take(count, buffer) ?? buffer
    return true
  }
  open[SLOTS.generator] = () => next
  handle.useUserBuffer(first)
  return true
}

/** Sockets that read into a buffer of ours and hand on what comes as 'data'. */
const given = new WeakSet<Socket>()

/** The end of `readInto`: what comes from now on is by 'data', for whoever reads it then. */
export function readAsData(socket: Socket): void {
  const open = socket as unknown as Open
  if (SLOTS === undefined || open[SLOTS.buffer] === null) return
  given.add(socket)
  // What may wait is a copy: the buffer is used for the next read.
  open[SLOTS.callback] = (count: number, buffer: Uint8Array): boolean =>
    socket.push(Buffer.from(buffer.subarray(0, count)))
}

function slotsOf(socket: Open): Readonly<Record<'buffer' | 'callback' | 'generator', symbol>> | undefined {
  const named = new Map(Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]))
  const [buffer, callback, generator] = [named.get('kBuffer'), named.get('kBufferCb'), named.get('kBufferGen')]
  if (buffer === undefined || callback === undefined || generator === undefined) return undefined
  return [buffer, callback, generator].every((slot) => socket[slot] === null)
    ? { buffer, callback, generator }
    : undefined
}
