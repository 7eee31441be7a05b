import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { NO_RULES } from '@engawa/edge/guard/rules'
import { MIGRATIONS } from '@engawa/edge/store/migrations'
import { openStore } from '@engawa/edge/store/store'
import t, { type Test } from 'tap'

function pathOf(t: Test): string {
  return join(t.testdir({}), 'edge.db')
}

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

t.test('what is stored is there after closing, for the owner alone', async (t) => {
  const path = pathOf(t)
  const first = openStore(path)
  const lease = {
    name: 'blog',
    agent: 1,
    protocol: 'http',
    hosts: ['www.a.jp'],
    path: undefined,
    ports: undefined,
    target: '8080',
    bare: false,
    balance: false,
    published: true,
    rules: NO_RULES,
  } as const
  t.equal(first.meta.nextGeneration(), 1)
  t.equal(first.meta.effective, undefined)
  first.meta.effective = { domain: 'a.jp', addresses: ['a.jp:443'], reach: 'public' }
  first.agents.add({ name: 'home', key: key(1), grant: { hosts: [] }, now: 5 })
  first.leases.put(lease, 6)
  first.invitations.add({ hash: key(9), name: 'home', grant: undefined, madeAt: 1, expiresAt: 2 })
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.equal(statSync(`${path}-wal`).mode & 0o777, 0o600)
  first.close()
  const again = openStore(path)
  t.teardown(() => again.close())
  t.equal(again.meta.nextGeneration(), 2)
  t.match(again.meta.effective, { domain: 'a.jp' })
  t.match(again.agents.all(), [{ id: 1, name: 'home', joinedAt: 5, seenAt: undefined, revokedAt: undefined }])
  t.same(again.leases.all(), [lease])
  t.match(again.invitations.byHash(key(9)), { name: 'home', grant: undefined, usedKey: undefined })
})

t.test('a lease changes in place, and goes with its agent', async (t) => {
  const store = openStore(pathOf(t))
  t.teardown(() => store.close())
  store.agents.add({ name: 'home', key: key(1), grant: { hosts: [] }, now: 1 })
  const lease = {
    name: 'ssh',
    agent: 1,
    protocol: 'tcp',
    hosts: [],
    path: undefined,
    target: 'tcp://22',
    bare: false,
    balance: false,
    published: true,
    rules: { allow: ['192.0.2.0/24'], deny: [] },
  } as const
  store.leases.put({ ...lease, ports: [22, 22] }, 1)
  store.leases.put({ ...lease, ports: [2222, 2223] }, 2)
  t.match(store.leases.all(), [{ ports: [2222, 2223], rules: { allow: ['192.0.2.0/24'] } }])
  store.agents.remove(1, 1)
  t.same(store.leases.all(), [])
})

t.test('the state of an older version is brought up to this one', async (t) => {
  const path = pathOf(t)
  const old = new DatabaseSync(path)
  old.exec(MIGRATIONS[0] ?? '')
  old.exec('PRAGMA user_version = 1')
  old.exec(`INSERT INTO agents (name, limits, joined_at) VALUES ('home', '{"hosts":[]}', 1)`)
  old.exec(`INSERT INTO leases VALUES ('blog', 1, 'http', '[]', NULL, NULL, NULL, '8080', 1, 2)`)
  old.close()
  const store = openStore(path)
  t.teardown(() => store.close())
  t.match(store.leases.all(), [{ name: 'blog', target: '8080', rules: NO_RULES }])
})

t.test('a transaction is all or nothing, nested ones are one', async (t) => {
  const store = openStore(pathOf(t))
  t.teardown(() => store.close())
  t.throws(() =>
    store.transaction(() => {
      store.transaction(() => store.agents.add({ name: 'home', key: key(1), grant: { hosts: [] }, now: 1 }))
      throw new Error('no')
    }),
  )
  t.same(store.agents.all(), [])
})

t.test('what is no state of ours, or of a newer edge, is told', async (t) => {
  const path = pathOf(t)
  writeFileSync(path, 'x'.repeat(4096))
  t.throws(() => openStore(path), { code: 'STATE_BROKEN', message: /cannot be read/, ja: /読めません/ })
  const newer = `${path}2`
  const database = new DatabaseSync(newer)
  database.exec('PRAGMA user_version = 99')
  database.close()
  t.throws(() => openStore(newer), { code: 'STATE_BROKEN', message: /newer edge/ })
})

t.test('kill -9 while writing leaves whole transactions', async (t) => {
  const path = pathOf(t)
  openStore(path).close()
  const script = `import { openStore } from '@engawa/edge/store/store'
    const store = openStore(process.argv[1])
    for (let n = 0; ; n++) store.transaction(() => {
      store.agents.add({ name: 'a' + n, key: Buffer.alloc(32, 'a' + n), grant: { hosts: [] }, now: n })
      store.agents.add({ name: 'b' + n, key: Buffer.alloc(32, 'b' + n), grant: { hosts: [] }, now: n })
      if (n === 20) console.log('under way')
    })`
  const child = spawn(process.execPath, ['-C', 'engawa-source', '--input-type=module-typescript', '-e', script, path], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  const store = openStore(path)
  t.teardown(() => store.close())
  const names = store.agents.all().map(({ name }) => name)
  t.ok(names.length >= 40)
  t.same(
    names.filter((name) => name.startsWith('a')).map((name) => name.slice(1)),
    names.filter((name) => name.startsWith('b')).map((name) => name.slice(1)),
  )
})

t.test('a migration keeps a copy in the form that the older edge knows', async (t) => {
  const path = pathOf(t)
  const old = new DatabaseSync(path)
  old.exec(`${MIGRATIONS[0]} PRAGMA user_version = 1; INSERT INTO meta VALUES ('generation', '7')`)
  old.close()
  const store = openStore(path)
  t.equal(store.meta.nextGeneration(), 8)
  store.close()
  t.equal(statSync(`${path}.v1`).mode & 0o777, 0o600)
  const copy = new DatabaseSync(`${path}.v1`)
  t.teardown(() => copy.close())
  t.equal(copy.prepare('PRAGMA user_version').get()?.['user_version'], 1)
  t.equal(copy.prepare('SELECT value FROM meta').get()?.['value'], '7')
})
