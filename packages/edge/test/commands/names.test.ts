import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { joinHome } from '../support/home.ts'
import { edge, serve } from './edge-process.ts'

const ADDRESSES = ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--bind', '127.0.0.1']

t.test('an agent in the script it was named in is shown and found so', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'edge-names-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const data = join(folder, 'data')
  const running = serve(['--data', data, ...ADDRESSES])
  t.teardown(() => running.end('SIGKILL'))
  await running.event('ready')
  const ask = (...line: string[]) => edge([...line, '--data', data])

  t.match(await ask('invite', '縁側'), { exit: 0, out: 'to be "縁側 (xn--2yq632i)"' })
  t.match(await ask('invite', 'Иван', '--lang', 'ja'), { exit: 0, out: '「иван (xn--80adrw)」' }, 'as it was typed')
  const { out } = await ask('invite', '縁側', '--json')
  await joinHome((JSON.parse(out) as { line: string }).line)
  t.match(await ask('agents'), { out: /^縁側 \(xn--2yq632i\) /m })
  t.match(await ask('agents', 'rename', '縁側', '居間'), {
    exit: 0,
    out: '"縁側" is now "居間 (xn--igto74k)"',
  })
  t.match(await ask('agents', 'revoke', '居間'), { exit: 0, out: '"居間 (xn--igto74k)" is revoked' })
  t.match(await ask('agents', 'revoke', '居間', '--json'), { exit: 0, out: '"agent":"xn--igto74k"' })
})
