import { writeFileSync } from 'node:fs'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from '../support/command.ts'
import { findTool } from '../support/tools.ts'
import type { World } from '../support/world.ts'
import { type Hops, twice } from './controls.ts'

const LISTENING = /start worker process \d+/

/** One nginx as an HTTP proxy that keeps its connections. */
interface Hop {
  readonly to: number
  readonly listen: number
  /** Serves TLS, with HTTP/2. */
  readonly secure?: Certificate | undefined
  /** The next is asked over TLS. */
  readonly toSecure?: boolean
}

interface Certificate {
  readonly cert: string
  readonly key: string
}

/** nginx twice, all in clear text. */
export function nginxHops(here: World, port: number): Promise<Hops> {
  const command = (to: number, listen: number): [string, ...string[]] => nginx(here, { to, listen })
  return twice(here, port, { listening: LISTENING, command })
}

/** nginx twice: TLS with the visitor and TLS between the two, as an edge and an agent have it. */
export async function nginxTlsHops(here: World, port: number): Promise<Hops> {
  const secure = await certificate(here)
  const [inner, outer] = [await freePort(), await freePort()]
  const first = here.start('inner nginx', nginx(here, { to: port, listen: inner, secure }))
  const second = here.start('outer nginx', nginx(here, { to: inner, listen: outer, secure, toSecure: true }))
  await Promise.all([first.untilLogged(LISTENING), second.untilLogged(LISTENING)])
  return { port: outer, pids: [first.pid, second.pid] }
}

/** nginx that serves TLS, before a way in clear text. */
export async function nginxTlsBefore(here: World, next: Hops): Promise<Hops> {
  const listen = await freePort()
  const secure = await certificate(here)
  const hop = here.start('nginx', nginx(here, { to: next.port, listen, secure }))
  await hop.untilLogged(LISTENING)
  return { port: listen, pids: [hop.pid, ...next.pids] }
}

function nginx(here: World, { to, listen, secure, toSecure = false }: Hop): [string, ...string[]] {
  const file = here.folder(`nginx-${listen}.conf`)
  const tls = secure && `ssl_certificate ${secure.cert}; ssl_certificate_key ${secure.key}; ssl_protocols TLSv1.3;`
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${here.folder(`nginx-${listen}.pid`)}; error_log stderr notice;
    events { worker_connections 4096; }
    http {
      access_log off; keepalive_requests 100000000; tcp_nodelay on;
      proxy_buffer_size 64k; proxy_buffers 8 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;
      client_body_temp_path ${here.folder('nginx-body')}; proxy_temp_path ${here.folder('nginx-proxy')};
      fastcgi_temp_path ${here.folder('nginx-f')}; uwsgi_temp_path ${here.folder('nginx-u')}; scgi_temp_path ${here.folder('nginx-s')};
      upstream next { server 127.0.0.1:${to}; keepalive 256; keepalive_requests 100000000; }
      proxy_ssl_protocols TLSv1.3; proxy_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
      server {
        listen 127.0.0.1:${listen}${secure ? ' ssl http2' : ''};
        ${tls ?? ''}
        location / { proxy_pass ${toSecure ? 'https' : 'http'}://next; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
          proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host; }
      }
    }\n`,
  )
  return [findTool('nginx') ?? 'nginx', '-c', file, '-e', 'stderr']
}

/** Of the kind that an edge gives itself; visitors here do not look at its name. */
async function certificate(here: World): Promise<Certificate> {
  const cert = here.folder('nginx.pem')
  const key = here.folder('nginx.key')
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const files = ['-keyout', key, '-out', cert]
  const { code, stderr } = await run(['openssl', 'req', '-x509', ...kind, '-subj', '/CN=localhost', ...files])
  if (code !== 0) throw new Error(`openssl: ${stderr}`)
  return { cert, key }
}
