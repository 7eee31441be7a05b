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

/** haproxy twice, each with one thread. */
export async function haproxyHops(here: World, port: number): Promise<Hops> {
  const command = (to: number, listen: number): [string, ...string[]] => {
    const file = here.folder(`haproxy-${listen}.cfg`)
    const lines = ['global', ' nbthread 1', ' maxconn 4000', 'defaults', ' mode tcp', ' timeout client 1h']
    lines.push(' timeout server 1h', ' timeout connect 5s', 'listen hop', ` bind 127.0.0.1:${listen}`)
    writeFileSync(file, [...lines, ` server next 127.0.0.1:${to}`, ''].join('\n'))
    return [findTool('haproxy') ?? 'haproxy', '-W', '-f', file]
  }
  // Without a master it says nothing.
  return twice(here, port, { listening: /Loading success/, command })
}

/** nginx twice as an HTTP proxy that keeps its connections. */
export async function nginxHops(here: World, port: number): Promise<Hops> {
  const command = (to: number, listen: number): [string, ...string[]] => {
    const file = here.folder(`nginx-${listen}.conf`)
    writeFileSync(
      file,
      `daemon off; worker_processes 1; pid ${here.folder(`nginx-${listen}.pid`)}; error_log stderr notice;
      events { worker_connections 4096; }
      http {
        access_log off; keepalive_requests 100000000; tcp_nodelay on;
        proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k;
        client_body_temp_path ${here.folder('nginx-body')}; proxy_temp_path ${here.folder('nginx-proxy')};
        fastcgi_temp_path ${here.folder('nginx-f')}; uwsgi_temp_path ${here.folder('nginx-u')}; scgi_temp_path ${here.folder('nginx-s')};
        upstream next { server 127.0.0.1:${to}; keepalive 256; keepalive_requests 100000000; }
        server {
          listen 127.0.0.1:${listen};
          location / { proxy_pass http://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host; }
        }
      }\n`,
    )
    return [findTool('nginx') ?? 'nginx', '-c', file, '-e', 'stderr']
  }
  return twice(here, port, { listening: /start worker process \d+/, command })
}

async function twice(
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
