import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readPages } from '../../src/forward/pages.ts'
import { smallEdge, talk } from '../support/edge.ts'

const ask = (host: string, fields = ''): string =>
  `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nAccept: text/html\r\n${fields}\r\n`

t.test('pages of the owner stand in place of the edge’s own, the most particular first', async (t) => {
  const folder = t.testdir({
    '404.html': '<p>nothing here',
    '404.ja.html': '<p>ここには何もありません',
    'HOST_INVALID.html': '<p>which host?',
    '400.html': '<p>bad',
    'notes.txt': 'not a page',
  })
  const { port } = await smallEdge(t, (_request, response) => response.end('ok'), { pages: readPages(folder) })
  const unknown = await talk(port, ask('other.example.com'))
  t.match(unknown, /^HTTP\/1\.1 404 [^]*text\/html[^]*Engawa-Error: HOST_UNKNOWN[^]*<p>nothing here$/)
  t.notMatch(unknown, /Content-Security-Policy|Content-Language/)
  const japanese = Buffer.from(await talk(port, ask('other.example.com', 'Accept-Language: ja\r\n')), 'latin1')
  t.match(japanese.toString(), /ここには何もありません$/)
  t.match(await talk(port, ask('a,b')), /<p>which host\?$/)
  t.match(await talk(port, ask('blog.example.com', 'X_Y: z\r\n')), /<p>bad$/)
  t.match(await talk(port, ask('other.example.com').replace('text/html', 'application/json')), /"code":"HOST_UNKNOWN"/)
})

t.test('a folder that is none, and a page that would never be shown, are told', async (t) => {
  const folder = t.testdir({})
  t.throws(() => readPages(join(folder, 'absent')), { code: 'CONFIG_INVALID', message: /absent.*ENOENT/ })
  for (const name of ['503.fr.html', '200.html', 'agent_away.html', 'index.html', 'NO_SUCH.html']) {
    const inside = join(folder, name.replace('.html', ''))
    mkdirSync(inside)
    writeFileSync(join(inside, name), 'x')
    t.throws(() => readPages(inside), { code: 'CONFIG_INVALID', message: new RegExp(name) })
  }
  writeFileSync(join(folder, '503.html'), 'x'.repeat(300_000))
  t.throws(() => readPages(folder), { code: 'CONFIG_INVALID', message: /256 KiB/ })
})
