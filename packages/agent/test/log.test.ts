import { type Context, openLog } from '@engawa/agent/commands/context'
import t from 'tap'

t.test('a log line says its level by name, keeps secrets and drives no terminal', async (t) => {
  const lines: string[] = []
  const log = openLog({ line: { flags: {} } } as unknown as Context, 'info', (line) => lines.push(line))
  log.info({ path: '/\u009b2J\u202e', secret: 'hush', line: 'engawa1:hush' }, 'told')
  log.debug('not told')
  t.equal(lines.length, 1)
  const [line = ''] = lines
  t.ok(line.endsWith('}\n'))
  t.notMatch(line.trimEnd(), /[\p{Cc}\p{Cf}]|hush/u)
  t.match(JSON.parse(line), { level: 'info', time: /^\d{4}-.*Z$/, path: '/\u009b2J\u202e', msg: 'told' })
})
