import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { startSshd } from '../support/sshd.ts'
import { findTool } from '../support/tools.ts'
import type { World } from '../support/world.ts'

/** Both hops of a control on the way to one service. */
export interface Hops {
  readonly port: number
  readonly pids: readonly number[]
}

/** Two hops of `pipe.ts` to each of `ports`, the last by datagrams: what Node does by itself. */
export async function pipeHops(here: World, ports: readonly number[], datagrams: number): Promise<Hops[]> {
  const inner = await pipe(here, [...ports.map(String), `udp:${datagrams}`])
  const outer = await pipe(
    here,
    inner.ports.map((port, index) => (index < ports.length ? `${port}` : `udp:${port}`)),
  )
  return outer.ports.map((port) => ({ port, pids: [inner.pid, outer.pid] }))
}

async function pipe(here: World, targets: readonly string[]): Promise<{ ports: readonly number[]; pid: number }> {
  const hop = here.start('pipe', [process.execPath, join(import.meta.dirname, 'pipe.ts'), ...targets])
  const { ports: entries } = await hop.until('ready')
  return { ports: entries as number[], pid: hop.pid }
}

/** `ssh -R` to a daemon of our own for each of `ports`, with the cheapest cipher and no compression. */
export async function sshHops(here: World, ports: readonly number[]): Promise<Hops[]> {
  const { port, client, daemon } = await startSshd(here)
  const open = await Promise.all(ports.map(() => freePort()))
  const forwards = ports.flatMap((to, index) => ['-R', `127.0.0.1:${open[index]}:127.0.0.1:${to}`])
  const settings = ['-o', 'Ciphers=aes128-gcm@openssh.com', '-o', 'Compression=no', '-o', 'ExitOnForwardFailure=yes']
  const ssh = here.start('ssh', client(port, ...settings, '-v', '-N', ...forwards))
  for (const to of open) {
    // oxlint-disable-next-line no-await-in-loop -- each in its turn
    await ssh.untilLogged(new RegExp(`remote forward success for: listen 127.0.0.1:${to}\\b`))
  }
  return open.map((to) => ({ port: to, pids: [daemon.pid, ssh.pid] }))
}

/**
 * haproxy twice, each with one thread. Its buffers are 16 KiB unless told otherwise, which costs a third more. Not
 * spliced: in the kernel bytes can only be moved by who never looks at them.
 */
export async function haproxyHops(here: World, port: number): Promise<Hops> {
  const command = (to: number, listen: number): [string, ...string[]] => {
    const file = here.folder(`haproxy-${listen}.cfg`)
    const lines = ['global', ' nbthread 1', ' maxconn 4000', ' tune.bufsize 65536', 'defaults', ' mode tcp']
    lines.push(' timeout client 1h', ' timeout server 1h', ' timeout connect 5s', 'listen hop')
    writeFileSync(file, [...lines, ` bind 127.0.0.1:${listen}`, ` server next 127.0.0.1:${to}`, ''].join('\n'))
    return [findTool('haproxy') ?? 'haproxy', '-W', '-f', file]
  }
  // Without a master it says nothing.
  return twice(here, port, { listening: /Loading success/, command })
}

/** `command` before itself, and that before `port`. */
export async function twice(
  here: World,
  port: number,
  { listening, command }: { listening: RegExp; command: (to: number, listen: number) => [string, ...string[]] },
): Promise<Hops> {
  const [inner, outer] = [await freePort(), await freePort()]
  const first = here.start('inner hop', command(port, inner))
  const second = here.start('outer hop', command(inner, outer))
  await Promise.all([first.untilLogged(listening), second.untilLogged(listening)])
  return { port: outer, pids: [first.pid, second.pid] }
}
