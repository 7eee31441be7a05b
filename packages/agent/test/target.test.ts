import { parseTarget } from '@engawa/agent/target'
import t from 'tap'

const GOOD: readonly (readonly [typed: string, text: string])[] = [
  ['8080', 'http://127.0.0.1:8080'],
  ['1', 'http://127.0.0.1:1'],
  ['65535', 'http://127.0.0.1:65535'],
  [' 8080 ', 'http://127.0.0.1:8080'],
  ['８０８０', 'http://127.0.0.1:8080'],
  [':8080', 'http://127.0.0.1:8080'],
  ['localhost:3000', 'http://localhost:3000'],
  ['LOCALHOST:3000', 'http://localhost:3000'],
  ['192.168.0.10:80', 'http://192.168.0.10:80'],
  ['0.0.0.0:8000', 'http://127.0.0.1:8000'],
  ['[::]:8000', 'http://[::1]:8000'],
  ['[::1]:8080', 'http://[::1]:8080'],
  ['[2001:DB8::1]:80', 'http://[2001:db8::1]:80'],
  ['nas.local:5000', 'http://nas.local:5000'],
  ['nas.local.:5000', 'http://nas.local:5000'],
  ['my_box:5000', 'http://my_box:5000'],
  ['日本.例え:80', 'http://xn--wgv71a.xn--r8jz45g:80'],
  ['http://8080', 'http://127.0.0.1:8080'],
  ['http://:8080', 'http://127.0.0.1:8080'],
  ['http://localhost', 'http://localhost:80'],
  ['http://nas.local', 'http://nas.local:80'],
  ['http://[::1]', 'http://[::1]:80'],
  ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080'],
  ['HTTP://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['tcp://22', 'tcp://127.0.0.1:22'],
  ['tcp://:22', 'tcp://127.0.0.1:22'],
  ['tcp://192.168.0.20:3389', 'tcp://192.168.0.20:3389'],
  ['tcp://[fe80::1%eth0]:22', 'tcp://[fe80::1%eth0]:22'],
  ['tcp://10000-10010', 'tcp://127.0.0.1:10000-10010'],
  ['tcp://192.168.0.20:10000-10010', 'tcp://192.168.0.20:10000-10010'],
  ['tcp://192.168.0.20:10000-10000', 'tcp://192.168.0.20:10000'],
  ['unix:/run/app.sock', 'unix:/run/app.sock'],
  ['unix:///run/app.sock', 'unix:/run/app.sock'],
  ['UNIX:/run/app.sock', 'unix:/run/app.sock'],
  ['tcp+unix:/run/app.sock', 'tcp+unix:/run/app.sock'],
  ['udp://19132', 'udp://127.0.0.1:19132'],
  ['tls://443', 'tls://127.0.0.1:443'],
  ['https://nas.local:5001', 'https://nas.local:5001'],
  ['https://nas.local', 'https://nas.local:443'],
  ['https://5001', 'https://127.0.0.1:5001'],
  ['h2c://:50051', 'h2c://127.0.0.1:50051'],
  ['h2c://nas.local', 'h2c://nas.local:80'],
  ['udp://nas.local:27000-27010', 'udp://nas.local:27000-27010'],
  ['8080/app', 'http://127.0.0.1:8080/app'],
  ['localhost:8080/app/', 'http://localhost:8080/app'],
  ['https://nas.local/a/b', 'https://nas.local:443/a/b'],
]

const BAD: readonly (readonly [typed: string, says: RegExp])[] = [
  ['', /empty/],
  ['   ', /empty/],
  ['0', /"0" is no port/],
  ['65536', /65535/],
  ['99999', /65535/],
  ['123456', /65535/],
  ['080', /"080" is no port/],
  ['-1', /PORT, HOST:PORT/],
  ['80 80', /space/],
  ['80\u00a080', /space/],
  ['80\u001b[31m', /control/],
  ['8080-8081', /tcp:\/\//],
  ['http://localhost:80-81', /tcp:\/\//],
  ['localhost', /localhost:PORT/],
  ['192.168.0.10', /192\.168\.0\.10:PORT/],
  ['tcp://192.168.0.10', /the port is missing/],
  ['tcp://', /PORT, HOST:PORT/],
  ['http://', /PORT, HOST:PORT/],
  ['http://:', /PORT, HOST:PORT/],
  ['localhost:', /PORT, HOST:PORT/],
  ['localhost:http', /PORT, HOST:PORT/],
  ['::1:8080', /PORT|bracket/],
  ['::1', /\[::1\]:PORT/],
  ['[::1]', /PORT/],
  ['[::g]:80', /no host name/],
  ['[]:80', /no host name/],
  ['999.1.1.1:80', /no host name/],
  ['192.168.1:80', /no host name/],
  ['-a.b:80', /no host name/],
  ['a..b:80', /no host name/],
  ['a b:80', /space/],
  [`${'a'.repeat(64)}:80`, /no host name/],
  ['user:secret@localhost:80', /user name or password/],
  ['http://user@localhost:80', /user name or password/],
  ['htp://8080', /did you mean http:\/\//],
  ['tpc://22', /did you mean tcp:\/\//],
  ['ftp://22', /did you mean/],
  ['tcp://22/x', /path/],
  ['udp://53/x', /path/],
  ['tls://443/x', /path/],
  ['tls://443-444', /tcp:\/\//],
  ['tcp://10010-10000', /10000-10010/],
  ['tcp://1-', /no port/],
  ['tcp://0-10', /no port/],
  ['tcp://1-65536', /no port/],
  ['8080/a//b', /empty part/],
  ['8080/a/../b', /empty part/],
  ['8080/a?b', /query/],
  ['unix:', /begins with \//],
  ['unix:app.sock', /begins with \//],
  ['unix:/run/', /names a file/],
  [`unix:/${'a'.repeat(107)}`, /107 bytes/],
]

for (const [typed, text] of GOOD) {
  t.test(`${JSON.stringify(typed)} means ${text}`, async (t) => {
    const target = parseTarget(typed)
    t.equal(target.text, text)
    t.equal(target.secure, text.startsWith('https'))
    t.equal(target.h2c, text.startsWith('h2c'))
    t.equal(target.protocol, /^(tcp|udp|tls)/.exec(text)?.[0] ?? 'http')
    t.same(parseTarget(text), target, 'its canonical spelling reads the same')
  })
}

for (const [typed, says] of BAD) {
  t.test(`${JSON.stringify(typed.slice(0, 40))} is refused`, async (t) => {
    t.throws(() => parseTarget(typed), { code: 'TARGET_INVALID', message: says })
  })
}

t.test('a folder is called by its whole path', async (t) => {
  for (const [typed, path] of [
    ['./public', '/home/me/public'],
    ['../a b/縁側/', '/home/a b/縁側'],
    ['/srv/www/../web', '/srv/web'],
    ['.', '/home/me'],
    ['..', '/home'],
  ] as const) {
    const target = parseTarget(typed, '/home/me')
    t.match(target, { protocol: 'http', secure: false, text: path, place: { kind: 'folder', path } })
    t.same(parseTarget(target.text), target, 'its canonical spelling reads the same')
  }
  t.throws(() => parseTarget('./a\0b'), { code: 'TARGET_INVALID' })
})

t.test('a range counts its ports', async (t) => {
  t.match(parseTarget('tcp://10000-10010').place, { kind: 'port', port: 10_000, count: 11 })
})
