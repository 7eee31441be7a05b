import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, request } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { FolderService } from '@engawa/agent/deliver/folder'
import t, { type Test } from 'tap'
import { temporaryFolder } from '../support/folder.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Options {
  readonly method?: string
  readonly headers?: Record<string, string>
  /** The head has come, nothing more was read. */
  readonly onHead?: () => void
}

interface Site {
  readonly path: string
  readonly outside: string
  readonly tried: boolean[]
  ask: (path: string, options?: Options) => Promise<Answer>
}

/** A folder with a secret beside it, served over real sockets. */
async function site(t: Test, { listing = false } = {}): Promise<Site> {
  const base = temporaryFolder(t)
  const [path, outside, hidden] = ['public', 'outside', 'public/state'].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ]
  for (const folder of [
    path,
    outside,
    hidden,
    join(path, 'sub'),
    join(path, '.git'),
    join(path, '.well-known'),
    join(path, 'a b&"<'),
  ]) {
    mkdirSync(folder)
  }
  writeFileSync(join(path, 'index.html'), '<h1>home</h1>')
  writeFileSync(join(path, 'data.bin'), '0123456789')
  writeFileSync(join(path, 'empty.txt'), '')
  writeFileSync(join(path, '縁側.txt'), 'engawa')
  writeFileSync(join(path, '.htpasswd'), 'SECRET')
  writeFileSync(join(path, '.git/config'), 'SECRET')
  writeFileSync(join(path, '.well-known/.secret.txt'), 'SECRET')
  mkdirSync(join(path, '.well-known/acme-challenge'))
  writeFileSync(join(path, '.well-known/acme-challenge/token_-1'), 'proof')
  writeFileSync(join(path, 'sub/page.html'), 'page')
  writeFileSync(join(path, 'sub/x:y.txt'), 'colon')
  writeFileSync(join(outside, 'secret.txt'), 'SECRET')
  writeFileSync(join(hidden, 'key'), 'SECRET')
  symlinkSync(outside, join(path, 'out'))
  symlinkSync(join(outside, 'secret.txt'), join(path, 'sub/secret.txt'))
  symlinkSync(join(path, 'data.bin'), join(path, 'sub/inside.bin'))
  execFileSync('sh', ['-c', 'mkfifo "$0"', join(path, 'sub/pipe')])
  const tried: boolean[] = []
  const service = new FolderService({ path, listing, hidden: [hidden], onTried: (isThere) => tried.push(isThere) })
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    service.take(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    path,
    outside,
    tried,
    ask: async (asked, { method = 'GET', headers = {}, onHead } = {}) => {
      const sent = request({ host: '127.0.0.1', port, path: asked, method, headers, agent: false }).end()
      const [response] = await once(sent, 'response')
      onHead?.()
      response.setEncoding('utf8')
      let body = ''
      for await (const chunk of response) body += chunk
      return { status: response.statusCode, headers: response.headers, body }
    },
  }
}

t.test('files, index and types', async (t) => {
  const { ask, tried } = await site(t)
  t.match(await ask('/'), {
    status: 200,
    body: '<h1>home</h1>',
    headers: { 'content-type': 'text/html; charset=utf-8' },
  })
  t.match(await ask('/data.bin?x=1'), { status: 200, body: '0123456789', headers: { 'content-length': '10' } })
  t.match(await ask('/empty.txt'), { status: 200, body: '', headers: { 'content-type': 'text/plain; charset=utf-8' } })
  t.match(await ask('/%E7%B8%81%E5%81%B4.txt'), { status: 200, body: 'engawa' })
  t.match(await ask('/sub/inside.bin'), { status: 200, body: '0123456789' }, 'a link that stays inside')
  t.match(await ask('/data.bin', { method: 'HEAD' }), { status: 200, body: '', headers: { 'content-length': '10' } })
  t.match(await ask('/.well-known/acme-challenge/token_-1'), { status: 200, body: 'proof' }, 'RFC 8615')
  t.match(await ask('/sub'), { status: 301, headers: { location: './sub/' } })
  t.match(await ask('/a%20b&"<?q=1'), { status: 301, headers: { location: './a%20b&"</?q=1' } })
  t.match(await ask('/missing'), { status: 404, body: /nothing here/ })
  t.match(await ask('/missing', { headers: { 'accept-language': 'ja' } }), {
    status: 404,
    body: /ここには何もありません/,
  })
  t.match(await ask('/data.bin', { method: 'POST' }), { status: 405, headers: { allow: 'GET, HEAD' } })
  t.ok(tried.length > 0 && tried.every(Boolean))
})

t.test('ranges and conditions', async (t) => {
  const { ask, path } = await site(t)
  utimesSync(join(path, 'data.bin'), 1_700_000_000, 1_700_000_000)
  const { headers } = await ask('/data.bin')
  const etag = String(headers.etag)
  t.match(headers, { 'accept-ranges': 'bytes', 'cache-control': 'no-cache' })
  t.match(headers['last-modified'], /GMT$/)
  t.match(await ask('/data.bin', { headers: { range: 'bytes=2-4' } }), {
    status: 206,
    body: '234',
    headers: { 'content-range': 'bytes 2-4/10' },
  })
  t.match(await ask('/data.bin', { headers: { range: 'bytes=-3' } }), { status: 206, body: '789' })
  t.match(await ask('/data.bin', { headers: { range: 'bytes=10-' } }), {
    status: 416,
    headers: { 'content-range': 'bytes */10' },
  })
  t.match(await ask('/data.bin', { headers: { range: 'bytes=0-1', 'if-range': 'W/"other"' } }), { status: 200 })
  t.match(await ask('/data.bin', { headers: { 'if-none-match': etag } }), { status: 304, body: '' })
  t.match(await ask('/data.bin', { headers: { 'if-match': '"other"' } }), { status: 412 })
  writeFileSync(join(path, 'data.bin'), 'changed and longer')
  t.match(await ask('/data.bin', { headers: { 'if-none-match': etag } }), { status: 200, body: 'changed and longer' })
})

const OUT = [
  '/../outside/secret.txt',
  '/sub/../../outside/secret.txt',
  '/%2e%2e/outside/secret.txt',
  '/..%2foutside%2fsecret.txt',
  '/sub/%2e%2e%2f%2e%2e%2foutside/secret.txt',
  '/..%5coutside%5csecret.txt',
  '/%252e%252e/outside/secret.txt',
  '/..%c0%afoutside/secret.txt',
  '//../outside/secret.txt',
  '/out/secret.txt',
  '/out',
  '/out/',
  '/sub/secret.txt',
  '/.htpasswd',
  '/%2ehtpasswd',
  '/.git/config',
  '/.git/',
  '/.git',
  '/.well-known/.secret.txt',
  '/.well-known/%2esecret.txt',
  '/.well-known/../.htpasswd',
  '/.well-known/%2e%2e/.htpasswd',
  '/sub/.well-known/secret.txt',
  '/sub/../.htpasswd',
  '/state/key',
  '/state/',
  '/state',
  '/sub/pipe',
  '/index.html%00.txt',
  '/data.bin/',
  '/%ff',
  '/%',
  `/${'x'.repeat(5000)}`,
]

for (const listing of [false, true]) {
  t.test(`no way out, ${listing ? 'with' : 'without'} listings`, async (t) => {
    const { ask } = await site(t, { listing })
    for (const path of OUT) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { status, body, headers } = await ask(path)
      t.ok([400, 403, 404].includes(status), `${path.slice(0, 60)}: ${status}`)
      t.notMatch(body, /SECRET|secret\.txt/)
      t.equal(headers.location, undefined)
    }
  })
}

t.test('a folder without index.html is shown where that was asked for', async (t) => {
  const { ask, path } = await site(t, { listing: true })
  rmSync(join(path, 'index.html'))
  const top = await ask('/')
  t.match(top, { status: 200, headers: { 'content-type': 'text/html; charset=utf-8' } })
  t.match(top.body, 'href="./a%20b%26%22%3C/">a b&amp;&quot;&lt;/</a>')
  t.match(top.body, 'href="./%E7%B8%81%E5%81%B4.txt">縁側.txt</a>')
  t.notMatch(top.body, /htpasswd|\.git|>out|state|href="\.\.\//)
  const sub = await ask('/sub/')
  t.match(sub.body, 'href="./x%3Ay.txt"')
  t.match(sub.body, 'href="../"')
  t.notMatch(sub.body, /secret|pipe/)
  t.match(sub.body, /<html lang="en">[^]*<th>Name<th>Size<th>Changed/)
  mkdirSync(join(path, 'empty'))
  for (const [wish, word] of [
    ['ja', '空のフォルダー'],
    ['en-GB,en;q=0.9,ja;q=0.8', 'Nothing is in here'],
  ] as const) {
    t.match(await ask('/empty/', { headers: { 'accept-language': wish } }), {
      headers: { vary: 'Accept-Language' },
      body: word,
    })
  }
  t.match(await ask('/missing/'), { status: 404 })
  t.match(await (await site(t)).ask('/sub/'), { status: 404 }, 'unasked it is not shown')
})

t.test('a folder that is not there, and comes', async (t) => {
  const { ask, path, tried } = await site(t)
  rmSync(path, { recursive: true })
  t.match(await ask('/'), { status: 404 })
  t.same(tried, [false])
  mkdirSync(path)
  writeFileSync(join(path, 'index.html'), 'back')
  t.match(await ask('/'), { status: 200, body: 'back' })
})

t.test('a file that is cut while it is sent is not taken for a whole one', async (t) => {
  const { ask, path } = await site(t)
  const file = join(path, 'large.bin')
  writeFileSync(file, Buffer.alloc(64 * 1024 * 1024))
  await t.rejects(ask('/large.bin', { onHead: () => truncateSync(file, 1024 * 1024) }))
})
