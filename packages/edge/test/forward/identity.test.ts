import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ClientHttp2Session, constants } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { smallEdge, talk, until } from '../support/edge.ts'
import { secureEdge } from '../support/secure-edge.ts'

const HOST = 'Host: blog.example.com\r\n'

/**
 * A service that authenticates connections as NTLM does: a first message is answered with a challenge, a second one on
 * the same connection with a welcome, and whatever comes on that connection then is from whom it knows.
 */
function ntlm(scheme = 'NTLM'): {
  serve: (request: IncomingMessage, response: ServerResponse) => void
  asked: string[]
} {
  const known = new WeakMap<Socket, string>()
  const challenged = new WeakSet<Socket>()
  const asked: string[] = []
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket, headers, url = '' } = request
    asked.push(url)
    const [, word = '', name = ''] = /^\w+ (hello|proof|ticket) ?(\w*)/.exec(headers.authorization ?? '') ?? []
    if (word === 'ticket' || (word === 'proof' && challenged.has(socket))) known.set(socket, name)
    else if (word === 'hello') challenged.add(socket)
    const who = known.get(socket)
    if (who !== undefined) return void response.end(`hello ${who}`)
    const challenge = word === 'hello' ? `${scheme} prove` : scheme
    response.writeHead(401, { 'WWW-Authenticate': ['Basic realm="x"', challenge] }).end('who?')
  }
  return { serve, asked }
}

function ask(path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\n${HOST}${fields}\r\n`
}

/** One request on a connection that is kept. */
async function say(visitor: Socket, path: string, fields = ''): Promise<string> {
  const answered = until(visitor, (got) => /who\?|hello \w+$/.test(got))
  visitor.write(ask(path, fields))
  return await answered
}

t.test('whom a service knows by the connection is known on that visitor’s alone', async (t) => {
  const { serve } = ntlm()
  const { port, link } = await smallEdge(t, serve)
  const [alice, bob] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  t.match(await say(alice, '/'), /^HTTP\/1.1 401 [^]*NTLM\r\n/)
  t.match(await say(alice, '/', 'Authorization: NTLM hello\r\n'), /401 [^]*NTLM prove\r\n/)
  t.match(await say(alice, '/', 'Authorization: NTLM proof alice\r\n'), /hello alice$/)
  t.match(await say(bob, '/'), /401/)
  t.match(await say(alice, '/'), /hello alice$/, 'on a connection that is kept for her')
  t.match(await say(bob, '/', 'Authorization: NTLM proof bob\r\n'), /401/, 'nor does her challenge count for him')
  const gone = once(alice, 'close')
  alice.destroy()
  await gone
  t.match(await talk(port, ask('/', 'Connection: close\r\n')), /401/, 'nor is it left behind for whoever comes next')
  t.equal(link.streams.length, 3)
  bob.destroy()
})

async function resetBy(session: ClientHttp2Session, fields: Record<string, string>): Promise<number> {
  const stream = session.request({ ':path': '/', ...fields })
  stream.on('error', () => {})
  stream.resume()
  await new Promise((resolve) => stream.once('close', resolve))
  return stream.rstCode
}

for (const scheme of ['NTLM', 'Negotiate'])
  t.test(`over HTTP/2 ${scheme} is sent back to HTTP/1.1, before the service could know anybody`, async (t) => {
    const { serve, asked } = ntlm(scheme)
    const { visit } = await secureEdge(t, serve)
    const session = await visit()
    t.equal(await resetBy(session, {}), constants.NGHTTP2_HTTP_1_1_REQUIRED)
    t.equal(asked.length, 1)
    t.equal(await resetBy(session, { authorization: `${scheme} ticket alice` }), constants.NGHTTP2_HTTP_1_1_REQUIRED)
    t.equal(asked.length, 1, 'who brings a ticket unasked is not passed on')
    const basic = session.request({ ':path': '/', authorization: 'Basic bmVnb3RpYXRl' })
    basic.on('error', () => {})
    await new Promise((resolve) => basic.resume().once('close', resolve))
    t.equal(asked.length, 2, 'other schemes are')
  })

t.test('over HTTP/2 requests without any of it are served beside', async (t) => {
  const { visit } = await secureEdge(t, (_request, response) => response.end('plain'))
  const session = await visit()
  t.equal(await resetBy(session, { authorization: 'negotiate YII' }), constants.NGHTTP2_HTTP_1_1_REQUIRED)
  t.equal(await text(session.request({ ':path': '/' })), 'plain')
})

t.test('through a trusted proxy, who brought a ticket is not known for whoever comes next', async (t) => {
  const { serve } = ntlm('Negotiate')
  const { port, link } = await smallEdge(t, serve, { trustedProxies: ['127.0.0.1'] })
  const proxy = connect(port, '127.0.0.1')
  // Two people behind one address: a proxy tells them apart no better.
  const from = 'X-Forwarded-For: 203.0.113.9\r\n'
  t.match(await say(proxy, '/', `${from}Authorization: Negotiate ticket alice\r\n`), /hello alice$/)
  t.match(await say(proxy, '/', from), /401/)
  t.match(await say(proxy, '/', `${from}Authorization: Negotiate ticket bob\r\n`), /hello bob$/)
  t.match(await say(proxy, '/', from), /401/)
  t.equal(link.streams.length, 4, 'each on a connection of its own')
  proxy.destroy()
})
