import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { cloudflareProvider, dnsSolver, hookProvider } from '@engawa/edge/tls/acme/dns'
import t from 'tap'
import { listen } from '../../support/edge.ts'

interface TxtRecord {
  id: string
  type: string
  name: string
  content: string
}

t.test('Cloudflare’s API, by a stand-in: the record of the right zone comes and goes', async (t) => {
  const records: TxtRecord[] = [
    { id: 'other', type: 'TXT', name: '_acme-challenge.lab.example.com', content: '"another"' },
  ]
  const asked: string[] = []
  const api = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (part: string) => (body += part))
    request.on('end', () => {
      const url = new URL(request.url ?? '', 'http://api')
      asked.push(`${request.method} ${url.pathname} ${request.headers.authorization}`)
      const answer = (result: unknown, success = true): void =>
        void response.end(
          JSON.stringify({ success, result, errors: success ? [] : [{ message: 'Invalid access token' }] }),
        )
      if (request.headers.authorization !== 'Bearer secret') return answer(null, false)
      if (url.pathname === '/zones') return answer(url.searchParams.get('name') === 'example.com' ? [{ id: 'z1' }] : [])
      if (url.pathname !== '/zones/z1/dns_records' && request.method !== 'DELETE') return answer(null, false)
      if (request.method === 'POST') records.push({ ...(JSON.parse(body) as TxtRecord), id: 'made' })
      if (request.method === 'DELETE') {
        const at = records.findIndex(({ id }) => url.pathname === `/zones/z1/dns_records/${id}`)
        records.splice(at, 1)
      }
      return answer(request.method === 'GET' ? records.filter(({ name }) => name === url.searchParams.get('name')) : {})
    })
  })
  const port = await listen(t, api)
  const folder = t.testdir({ token: 'secret\n' })
  const provider = cloudflareProvider({ tokenFile: join(folder, 'token'), api: `http://127.0.0.1:${port}` })
  const withdraw = await dnsSolver(provider, 0).prove('lab.example.com', 'token', 'digest')
  t.match(records[1], { type: 'TXT', name: '_acme-challenge.lab.example.com', content: '"digest"', ttl: 60 })
  await withdraw()
  t.same(
    records.map(({ id }) => id),
    ['other'],
  )
  writeFileSync(join(folder, 'token'), 'wrong')
  await t.rejects(provider.present('_acme-challenge.lab.example.com', 'x'), {
    code: 'CERTIFICATE_FAILED',
    cause: { kind: 'dnsProvider', detail: /Invalid access token/ },
  })
})

t.test('a hook is run without a shell; what it says on stderr is told', async (t) => {
  const folder = t.testdir()
  const hook = join(folder, 'hook')
  writeFileSync(hook, '#!/bin/sh\necho "$@" >> "$0.said"\n[ "$3" != bad ] || { echo no such zone >&2; exit 1; }\n', {
    mode: 0o755,
  })
  const provider = hookProvider(hook)
  await provider.present('_acme-challenge.a.test', '-x $(id) ;')
  await provider.withdraw('_acme-challenge.a.test', 'v')
  t.equal(
    readFileSync(`${hook}.said`, 'utf8'),
    'present _acme-challenge.a.test -x $(id) ;\ncleanup _acme-challenge.a.test v\n',
  )
  await t.rejects(provider.present('_acme-challenge.a.test', 'bad'), { cause: { detail: /no such zone/ } })
})
