import { defaultName } from '@engawa/agent/naming'
import { parseTarget } from '@engawa/agent/target'
import t from 'tap'

const ROWS: readonly {
  readonly says: string
  readonly target: string
  readonly kept?: Readonly<Record<string, string>>
  readonly inUse?: readonly string[]
  readonly name: string
}[] = [
  { says: 'the first HTTP target gets the name of the agent', target: '8080', name: 'home' },
  { says: 'a TCP target never does', target: 'tcp://22', name: 'home-22' },
  { says: 'the second HTTP target gets its port behind it', target: '9090', inUse: ['home'], name: 'home-9090' },
  {
    says: 'also while the first is not running',
    target: '9090',
    kept: { 'http://127.0.0.1:8080': 'home' },
    name: 'home-9090',
  },
  {
    says: 'a target has back what it had',
    target: '8080',
    kept: { 'http://127.0.0.1:8080': 'blog' },
    inUse: ['home'],
    name: 'blog',
  },
  {
    says: 'but not what another has meanwhile',
    target: '8080',
    kept: { 'http://127.0.0.1:8080': 'blog' },
    inUse: ['blog'],
    name: 'home',
  },
  {
    says: 'the same port of another host gets a number',
    target: '10.0.0.2:80',
    inUse: ['home', 'home-80'],
    name: 'home-80-2',
  },
  { says: 'and the next number', target: '10.0.0.3:80', inUse: ['home', 'home-80', 'home-80-2'], name: 'home-80-3' },
  { says: 'a range is called by its first port', target: 'tcp://10000-10010', name: 'home-10000' },
  { says: 'a socket by its file', target: 'tcp+unix:/run/My_App.sock', name: 'home-my-app-sock' },
  { says: 'a folder by its name', target: '/srv/Public Site', inUse: ['home'], name: 'home-public-site' },
  { says: 'or simply so', target: 'tcp+unix:/run/__', name: 'home-socket' },
]

for (const { says, target, kept = {}, inUse = [], name } of ROWS) {
  t.test(says, async (t) => {
    const held = { agent: 'home', kept: new Map(Object.entries(kept)), inUse: new Set(inUse) }
    t.equal(defaultName(parseTarget(target), held), name)
  })
}

t.test('a long name stays a label', async (t) => {
  const held = { agent: 'a'.repeat(63), kept: new Map<string, string>(), inUse: new Set(['a'.repeat(63)]) }
  const first = defaultName(parseTarget('8080'), held)
  t.ok(first.length <= 63)
  const second = defaultName(parseTarget('8080'), { ...held, inUse: new Set([...held.inUse, first]) })
  t.ok(second.length <= 63)
  t.not(first, second)
})
