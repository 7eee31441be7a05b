import { CODES, rowOf } from '@engawa/shared/errors'
import t from 'tap'
import { answerFor, rawAnswer } from '../../src/forward/answers.ts'
import { wordsOf } from '../../src/forward/words.ts'

const CHROME = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8'

t.test('the form and language that the visitor asks for', async (t) => {
  t.match(answerFor('AGENT_AWAY', { accept: CHROME, acceptLanguage: 'ja,en-US;q=0.9' }), {
    status: 503,
    fields: {
      'Content-Type': /text\/html/,
      'Content-Language': 'ja',
      'Engawa-Error': 'AGENT_AWAY',
      'Retry-After': /^\d+$/,
    },
    body: /<html lang="ja">[^]*オフライン/,
  })
  t.match(answerFor('HOST_UNKNOWN', { accept: CHROME, acceptLanguage: 'de,fr;q=0.5' }), {
    status: 404,
    body: /Nothing is published here/,
  })
  t.match(answerFor('SERVICE_REFUSED', { accept: 'application/json' }), {
    status: 502,
    body: /^\{"status":502,"code":"SERVICE_REFUSED"/,
  })
  t.match(answerFor('SERVICE_TIMEOUT', { accept: '*/*' }), { status: 504, fields: { 'Content-Type': /text\/plain/ } })
  t.match(answerFor('SERVICE_TIMEOUT', {}), { fields: { 'Content-Type': /text\/plain/ } })
})

t.test(
  'every code with a status has words of its own in both languages, and tells nothing of what stands behind',
  async (t) => {
    for (const code of Object.keys(CODES) as (keyof typeof CODES)[]) {
      const { status, fault } = rowOf(code)
      if (status === undefined || fault === 'user') continue
      t.not(wordsOf(code, 'en').title, 'Something went wrong', code)
      t.match(wordsOf(code, 'ja').text, /[ぁ-ん]/, code)
      t.notMatch(answerFor(code, { accept: 'text/html' }).body, /<script|https?:|node|\d+\.\d+\.\d+/i, code)
    }
  },
)

t.test('what never became a request is answered and closed', async (t) => {
  t.match(
    rawAnswer('HEAD_TOO_LARGE'),
    /^HTTP\/1\.1 431 Request Header Fields Too Large\r\n[^]*Connection: close\r\n\r\n/,
  )
})
