import { readFileSync } from 'node:fs'
import t from 'tap'
import { unitText } from '../../src/service/unit.ts'

const DEPLOYED = new URL('../../../../deploy/engawa-agent.service', import.meta.url)

t.test('deploy/engawa-agent.service is what `agent service install` writes for the system', async (t) => {
  const unit = unitText({ scope: 'system', command: ['/usr/bin/engawa-agent'], folder: '/var/lib/engawa/agent' })
  t.equal(readFileSync(DEPLOYED, 'utf8'), unit)
})

t.test('a unit of one’s own has no user, and words keep together', async (t) => {
  const unit = unitText({
    scope: 'user',
    command: ['/home/a b/engawa-agent'],
    folder: '/home/100% me/$agent',
    growing: true,
  })
  t.match(unit, 'ExecStart="/home/a b/engawa-agent" up --data "/home/100%% me/$$agent"\n')
  t.match(unit, 'ConditionPathExists=/home/100%% me/$agent/identity.json\n')
  t.match(unit, 'RestartMaxDelaySec=60s\n')
  t.notMatch(unit, /^User=|^ProtectSystem=|multi-user/m)
})
