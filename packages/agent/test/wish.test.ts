import { parsePrefix, parseWish, type TypedWish, typedOf } from '@engawa/agent/wish'
import t from 'tap'

const WRONG: readonly (readonly [wish: TypedWish, code: string, says: RegExp])[] = [
  [{ target: '8080', name: 'a.b' }, 'NAME_INVALID', /no name/],
  [{ target: '8080', name: '-x' }, 'NAME_INVALID', /no name/],
  [{ target: '8080', name: 'a'.repeat(64) }, 'NAME_INVALID', /63/],
  [{ target: '8080', host: ['localhost'] }, 'NAME_INVALID', /no domain/],
  [{ target: '8080', host: ['192.168.0.1'] }, 'NAME_INVALID', /no domain/],
  [{ target: '8080', port: '80' }, 'FLAG_INVALID', /tcp:/],
  [{ target: 'tcp://22', port: '0' }, 'FLAG_INVALID', /no port/],
  [{ target: 'tcp://22', port: '10-11' }, 'FLAG_INVALID', /2 port\(s\), the target has 1/],
  [{ target: 'tcp://10-12', port: '10' }, 'FLAG_INVALID', /1 port\(s\), the target has 3/],
  [{ target: 'tcp://22', host: ['a.example'] }, 'FLAG_INVALID', /--host is for HTTP/],
  [{ target: 'tcp://22', path: '/x' }, 'FLAG_INVALID', /--path is for HTTP/],
  [{ target: '8080', path: 'x' }, 'FLAG_INVALID', /no path/],
  [{ target: '8080', reach: ['everything'] }, 'FLAG_INVALID', /no network/],
  [{ target: '8080', allow: ['10.0.0.0/33'] }, 'FLAG_INVALID', /no network/],
  [{ target: 'tcp://22', hostHeader: 'nas' }, 'FLAG_INVALID', /--host-header is for HTTP/],
  [{ target: '8080', hostHeader: 'a b' }, 'FLAG_INVALID', /no host/],
  [{ target: '8080', hostHeader: 'a\r\nX: y' }, 'FLAG_INVALID', /no host/],
  [{ target: '8080', insecure: true }, 'FLAG_INVALID', /https/],
  [{ target: 'udp://53', proxyProtocol: 'v1' }, 'FLAG_INVALID', /v2/],
  [{ target: 'https://nas', proxyProtocol: 'v2' }, 'FLAG_INVALID', /https/],
  [{ target: 'tls://443', path: '/x' }, 'FLAG_INVALID', /--path is for HTTP/],
  [{ target: 'tls://443', port: '443' }, 'FLAG_INVALID', /--port is for tcp/],
  [{ target: 'udp://53', deny: ['home'] }, 'FLAG_INVALID', /no network/],
]

for (const [wish, code, says] of WRONG) {
  t.test(`${JSON.stringify(wish).slice(0, 60)} is refused`, async (t) => {
    t.throws(() => parseWish(wish), { code, message: says })
  })
}

t.test('paths', async (t) => {
  for (const path of ['/', '/a', '/a/b', '/%E3%81%82', '/a.b']) t.equal(parsePrefix(path), path)
  t.equal(parsePrefix('/a/'), '/a')
  for (const path of ['', 'a', '/a/../b', '/./a', '//a', '/a//b', '/a?b', '/a b', '/a#b', `/${'a'.repeat(1024)}`]) {
    t.throws(() => parsePrefix(path), { code: 'FLAG_INVALID' }, path)
  }
})

t.test('a wish survives the way to another process', async (t) => {
  const typed: TypedWish = {
    target: 'tcp://10-12',
    name: 'x',
    port: '20-22',
    reach: ['fe80::/64'],
    allow: ['10.0.0.0/8'],
    deny: ['10.1.0.0/16', '::1'],
  }
  t.same(parseWish(JSON.parse(JSON.stringify(typedOf(parseWish(typed)))) as TypedWish), parseWish(typed))
})
