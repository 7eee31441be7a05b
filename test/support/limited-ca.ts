import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Pebble } from './pebble.ts'

/** A way to pebble that can refuse orders as Let's Encrypt does past its limits, which pebble itself has none of. */
export interface LimitedCa {
  readonly directory: string
  /** Seconds after which it wants to be asked again; undefined: it takes orders. */
  retryAfterS: number | undefined
}

export async function limitedCa(t: { teardown: (end: () => unknown) => unknown }, pebble: Pebble): Promise<LimitedCa> {
  const [key, cert, ca] = ['key.pem', 'cert.pem', 'ca.pem'].map((name) => readFileSync(join(pebble.folder, name)))
  const { host, hostname, port } = new URL(pebble.directory)
  const made = { directory: '', retryAfterS: undefined as number | undefined }
  const server = createServer({ key, cert }, (asked, answer) => {
    if (made.retryAfterS !== undefined && asked.url === '/order-plz') {
      const type = 'urn:ietf:params:acme:error:rateLimited'
      const detail = 'too many certificates (50) already issued for "tunnel.test" in the last 168h0m0s'
      answer.writeHead(429, { 'Content-Type': 'application/problem+json', 'Retry-After': String(made.retryAfterS) })
      answer.end(JSON.stringify({ type, detail, status: 429 }))
      asked.resume()
      return
    }
    // It names itself by the Host that it is asked for.
    const { method, url: path, headers } = asked
    const passed = request({ hostname, port, method, path, headers, ca }, (answered) => {
      answer.writeHead(answered.statusCode ?? 502, answered.headers)
      answered.pipe(answer)
    })
    passed.on('error', () => answer.destroy())
    asked.pipe(passed)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  made.directory = `https://${host.replace(port, String((server.address() as AddressInfo).port))}/dir`
  return made
}
