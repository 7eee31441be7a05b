import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { ClientHttp2Session } from 'node:http2'
import t from 'tap'
import { smallEdge, talk } from '../support/edge.ts'
import { secureEdge } from '../support/secure-edge.ts'

/** What the edge says of a visitor, in the service's eyes; `{proto}` by the way they came. */
const OURS: Readonly<Record<string, string>> = {
  'X-Forwarded-For': '127.0.0.1',
  'X-Forwarded-Proto': '{proto}',
  'X-Forwarded-Host': 'blog.example.com',
  Forwarded: 'for=127.0.0.1;host=blog.example.com;proto={proto}',
  'X-Real-IP': '127.0.0.1',
}
const NAMES = Object.keys(OURS)
const FORGED = '6.6.6.6'

type Lines = readonly (readonly [name: string, value: string])[]

/** Every way that we know to set, double, alias or strip a field. */
const ATTEMPTS: Readonly<Record<string, (name: string) => Lines>> = {
  'set it': (name) => [[name, FORGED]],
  'set it thrice': (name) => [1, 2, 3].map(() => [name, FORGED] as const),
  'set it in capitals': (name) => [[name.toUpperCase(), FORGED]],
  'set it in small letters': (name) => [[name.toLowerCase(), FORGED]],
  'set it empty': (name) => [[name, '']],
  'set a list': (name) => [[name, `${FORGED}, 7.7.7.7, 127.0.0.1`]],
  'alias it by dots': (name) => [[name.replaceAll('-', '.'), FORGED]],
  'alias it by plus': (name) => [[name.replaceAll('-', '+'), FORGED]],
  'alias it by odd letters': (name) => [[name.replaceAll('-', '~'), FORGED]],
  'alias its last hyphen': (name) => [[name.replace(/-(?=[^-]*$)/, "'"), FORGED]],
  'strip it by Connection': (name) => [['Connection', name]],
  'strip it by Connection in a list': (name) => [['Connection', `x , ${name.toLowerCase()},,`]],
  'strip it by two Connections': (name) => [
    ['Connection', 'x'],
    ['Connection', name],
  ],
  'strip it by Proxy-Connection': (name) => [['Proxy-Connection', name]],
  'strip it by Keep-Alive': (name) => [['Keep-Alive', name]],
  'set and strip it': (name) => [
    [name, FORGED],
    ['Connection', name],
    [name, '7.7.7.7'],
  ],
}

/** Attempts that end the request: CGI and its kin read `_` for `-`. */
const REFUSED: Readonly<Record<string, (name: string) => string>> = {
  'alias it by underscores': (name) => (name.includes('-') ? name.replaceAll('-', '_') : `${name}_`),
  'alias its last hyphen by an underscore': (name) =>
    name.includes('-') ? name.replace(/-(?=[^-]*$)/, '_') : `_${name}`,
  'alias it in capitals, as CGI has it': (name) => `HTTP_${name.replaceAll('-', '_').toUpperCase()}`,
}

/** What the service was told under names that any reader could take for ours: lower case, letters and digits alone. */
function told({ rawHeaders }: IncomingMessage): string[] {
  const own = new Set(NAMES.map(plain))
  const found: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    if (own.has(plain(rawHeaders[at] ?? ''))) found.push(`${plain(rawHeaders[at] ?? '')}: ${rawHeaders[at + 1]}`)
  return found.toSorted()
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

function expected(proto: string): string[] {
  return NAMES.map((name) => `${plain(name)}: ${OURS[name]?.replace('{proto}', proto)}`).toSorted()
}

t.test('over HTTP/1.1 each field of ours comes once and unharmed', async (t) => {
  let seen: IncomingMessage[] = []
  const { port } = await smallEdge(t, (request, response) => {
    seen.push(request)
    response.end('ok')
  })
  const ask = async (lines: Lines, version = '1.1'): Promise<string> => {
    seen = []
    const fields = [['Host', 'blog.example.com'], ...lines, ['Connection', 'close']]
    return await talk(port, `GET / HTTP/${version}\r\n${fields.map((line) => line.join(': ')).join('\r\n')}\r\n\r\n`)
  }
  for (const name of NAMES) {
    for (const [attempt, lines] of Object.entries(ATTEMPTS))
      for (const version of ['1.1', '1.0']) {
        // oxlint-disable-next-line no-await-in-loop -- what is seen belongs to this one
        t.match(await ask(lines(name), version), /^HTTP\/1\.1 200/, `${attempt}: ${name}`)
        t.strictSame(seen.map(told), [expected('http')], `${attempt}: ${name}, HTTP/${version}`)
      }
    for (const [attempt, alias] of Object.entries(REFUSED)) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      t.match(await ask([[alias(name), FORGED]]), /^HTTP\/1\.1 400/, `${attempt}: ${name}`)
      t.equal(seen.length, 0)
    }
  }
})

t.test('nor do they come once more behind the body', async (t) => {
  let trailers: string[] = []
  const { port } = await smallEdge(t, (request, response) => {
    request.resume().on('end', () => {
      trailers = request.rawTrailers
      t.strictSame(told(request), expected('http'))
      response.end('ok')
    })
  })
  const late = [...NAMES, 'Host', 'X_Real_IP', 'X-Good'].map((name) => `${name}: ${FORGED}\r\n`).join('')
  const head = `POST / HTTP/1.1\r\nHost: blog.example.com\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n`
  t.match(await talk(port, `${head}Trailer: ${NAMES.join(', ')}\r\n\r\n1\r\nx\r\n0\r\n${late}\r\n`), /^HTTP\/1\.1 200/)
  t.strictSame(trailers, ['X-Good', FORGED])
})

/** `refused`, or what came of it. */
async function outcome(session: ClientHttp2Session, lines: Lines): Promise<unknown> {
  const fields: Record<string, string[]> = {}
  for (const [name, value] of lines) (fields[name.toLowerCase()] ??= []).push(value)
  const stream = session.request({ ':authority': 'blog.example.com', ':path': '/', ...fields })
  stream.on('error', () => {})
  const status = await new Promise((resolve) => {
    stream.once('response', (head) => resolve(head[':status']))
    stream.once('close', () => resolve('refused'))
  })
  stream.resume()
  if (!stream.closed) await once(stream, 'close')
  return status
}

t.test('over HTTP/2 just so, and what names a hop is refused', async (t) => {
  let seen: IncomingMessage[] = []
  const { visit } = await secureEdge(t, (request, response) => {
    seen.push(request)
    response.end('ok')
  })
  const session = await visit()
  for (const name of NAMES) {
    for (const [attempt, lines] of Object.entries(ATTEMPTS)) {
      const asked = lines(name)
      // RFC 9113 §8.2.2; Node's client would not send them.
      if (asked.some(([field]) => /^(?:proxy-)?connection$|^keep-alive$/i.test(field))) continue
      seen = []
      // oxlint-disable-next-line no-await-in-loop -- what is seen belongs to this one
      t.equal(await outcome(session, asked), 200, `${attempt}: ${name}`)
      t.strictSame(seen.map(told), [expected('https')], `${attempt}: ${name}, HTTP/2`)
    }
    for (const [attempt, alias] of Object.entries(REFUSED)) {
      seen = []
      // oxlint-disable-next-line no-await-in-loop -- as above
      t.equal(await outcome(session, [[alias(name), FORGED]]), 400, `${attempt}: ${name}`)
      t.equal(seen.length, 0)
    }
  }
})
