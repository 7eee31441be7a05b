import { createReadStream } from 'node:fs'
import { isIPv4 } from 'node:net'
import { endianness } from 'node:os'
import { createInterface } from 'node:readline'

/** `sl: local_address:port rem_address:port st tx_queue:rx_queue …`, all in hex; proc_pid_net(5) */
const ROW = /^\s*\d+: ([\dA-F]+):([\dA-F]{4}) [\dA-F]+:[\dA-F]{4} ([\dA-F]{2}) [\dA-F]+:([\dA-F]+) /
/** Of a listener: how many wait to be accepted. */
const NOBODY = /^0+$/
/** TCP_LISTEN of linux/tcp_states.h; the kernel writes those rows before all others. */
const LISTEN = '0A'

/**
 * Whether the kernel knows of a listener at this TCP port of the machine itself, so that nobody has to knock: a service
 * that takes only one connection (`nc -l`, `ffmpeg -listen`) would take the knock for its visitor, and `sshd` logs it. False means only that this cannot be told without knocking: another system than Linux, another machine's
 * address, a listener of both families, one before whom others wait, a port that is translated elsewhere.
 */
export async function hasListener(host: string, port: number): Promise<boolean> {
  const address = hexOf(host)
  if (process.platform !== 'linux' || address === undefined) return false
  const anywhere = '0'.repeat(address.length)
  const number = port.toString(16).toUpperCase().padStart(4, '0')
  // Of the network namespace that this process is in.
  const file = createReadStream(`/proc/net/${isIPv4(host) ? 'tcp' : 'tcp6'}`)
  try {
    for await (const line of createInterface({ input: file })) {
      const [, local, localPort, state, waiting] = ROW.exec(line) ?? []
      if (local === undefined || waiting === undefined) continue
      if (state !== LISTEN) return false
      if (localPort === number && (local === address || local === anywhere)) return NOBODY.test(waiting)
    }
  } catch {
    // No such table here, or not for us.
  } finally {
    file.destroy()
  }
  return false
}

/** A loopback address as the kernel prints it: words of 32 bits, each as this machine's bytes lie. */
function hexOf(host: string): string | undefined {
  const bytes =
    host === '::1' ? [...Buffer.alloc(15), 1] : host.startsWith('127.') && isIPv4(host) ? host.split('.') : []
  if (bytes.length === 0) return undefined
  const words = Buffer.from(bytes.map(Number))
  if (endianness() === 'LE') words.swap32()
  return words.toString('hex').toUpperCase()
}
