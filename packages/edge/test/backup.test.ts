import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { backUp, restore } from '@engawa/edge/backup'
import { NO_RULES } from '@engawa/edge/guard/rules'
import { forgetAgent, revokeAgent } from '@engawa/edge/identity/agents'
import { storePath } from '@engawa/edge/state'
import { MIGRATIONS } from '@engawa/edge/store/migrations'
import { openStore, type Store } from '@engawa/edge/store/store'
import { lockFolder } from '@engawa/shared/lock'
import t, { type Test } from 'tap'

const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const lease = (name: string, agent: number): Parameters<Store['leases']['put']>[0] => ({
  name,
  agent,
  protocol: 'http',
  hosts: [],
  path: undefined,
  ports: undefined,
  target: '8080',
  bare: false,
  balance: false,
  published: true,
  rules: NO_RULES,
})

/** A folder with two agents, a used and an open invitation, and files. */
function edgeFolder(t: Test): { folder: string; store: Store } {
  const folder = mkdtempSync(join(tmpdir(), 'engawa-backup-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const store = openStore(storePath(folder))
  for (const [id, name] of [
    [1, 'home'],
    [2, 'office'],
  ] as const) {
    store.agents.add({ name, key: key(id), grant: { hosts: [] }, now: id })
    store.leases.put(lease(name, id), id)
  }
  store.invitations.add({ hash: key(11), name: 'home', grant: undefined, madeAt: 1, expiresAt: 2 ** 48 })
  store.invitations.use(key(11), key(1), 2)
  store.invitations.add({ hash: key(12), name: 'later', grant: undefined, madeAt: 1, expiresAt: 2 ** 48 })
  store.meta.nextGeneration()
  writeFileSync(join(folder, 'carrier-ca.pem'), 'the key\n', { mode: 0o600 })
  writeFileSync(join(folder, 'access.log'), 'no state\n')
  return { folder, store }
}

t.test('a backup of a running edge is one file, for its owner alone', async (t) => {
  const { folder, store } = edgeFolder(t)
  t.teardown(() => store.close())
  const file = join(folder, 'out.backup')
  t.same(backUp(folder, file), { file, files: 1 })
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.match(readdirSync(folder).toSorted(), [
    'access.log',
    'carrier-ca.pem',
    'edge.db',
    /edge.db-/,
    /edge.db-/,
    'out.backup',
  ])
  backUp(folder, file)
  t.throws(() => backUp(join(folder, 'nothing'), file), { code: 'NO_STATE' })
})

t.test('a lost edge comes back from it, without open invitations', async (t) => {
  const { folder, store } = edgeFolder(t)
  const file = join(folder, 'out.backup')
  backUp(folder, file)
  store.close()
  const fresh = join(folder, 'fresh')
  t.match(restore(fresh, file), { files: ['carrier-ca.pem'], before: undefined })
  t.equal(readFileSync(join(fresh, 'carrier-ca.pem'), 'utf8'), 'the key\n')
  t.equal(statSync(join(fresh, 'carrier-ca.pem')).mode & 0o777, 0o600)
  t.equal(statSync(storePath(fresh)).mode & 0o777, 0o600)
  const again = openStore(storePath(fresh))
  t.teardown(() => again.close())
  t.match(again.agents.all(), [{ name: 'home' }, { name: 'office' }])
  t.same(again.agents.byName('home')?.key, key(1))
  t.equal(again.leases.all().length, 2)
  t.same(again.invitations.byHash(key(11))?.usedKey, key(1))
  t.equal(again.invitations.byHash(key(12)), undefined, 'an open one is void')
  t.equal(again.meta.nextGeneration(), 2)
})

t.test('what was revoked or used since stays so', async (t) => {
  const { folder, store } = edgeFolder(t)
  const file = join(folder, 'out.backup')
  backUp(folder, file)
  revokeAgent(store, 'office', 9)
  store.agents.rekey(1, { key: key(3), grant: { hosts: [] }, now: 9 })
  store.invitations.use(key(12), key(4), 9)
  for (let times = 0; times < 5; times++) store.meta.nextGeneration()
  store.close()
  t.match(restore(folder, file), { before: '.before-restore' })
  t.ok(existsSync(`${storePath(folder)}.before-restore`))
  const again = openStore(storePath(folder))
  t.teardown(() => again.close())
  t.match(again.agents.byName('office'), { key: undefined, revokedAt: 9 })
  t.match(again.agents.byName('home'), { key: undefined }, 'its old key was taken away, too')
  t.equal(again.agents.formerOwner(key(1)), 'home')
  t.equal(again.agents.formerOwner(key(2)), 'office')
  t.same(again.leases.all(), [])
  t.same(again.invitations.byHash(key(12))?.usedKey, key(4))
  t.equal(again.meta.nextGeneration(), 7, 'no number of a generation is given twice')
})

t.test('an agent that has left since is not there again, and its key stays refused', async (t) => {
  const { folder, store } = edgeFolder(t)
  const file = join(folder, 'out.backup')
  backUp(folder, file)
  forgetAgent(store, 1, 9)
  store.close()
  restore(folder, file)
  const again = openStore(storePath(folder))
  t.teardown(() => again.close())
  t.match(again.agents.all(), [{ name: 'office', revokedAt: undefined }])
  t.equal(again.agents.formerOwner(key(1)), 'home')
  t.match(again.leases.all(), [{ name: 'office' }])
})

t.test('settings that are there stay, other files are kept beside', async (t) => {
  const { folder, store } = edgeFolder(t)
  store.close()
  writeFileSync(join(folder, 'settings.txt'), 'domain: old.example\n')
  symlinkSync(join(folder, 'settings.txt'), join(folder, 'edge.yaml'))
  const file = join(folder, 'out.backup')
  t.equal(backUp(folder, file).files, 2)
  writeFileSync(join(folder, 'settings.txt'), 'domain: new.example\n')
  writeFileSync(join(folder, 'carrier-ca.pem'), 'another key\n')
  restore(folder, file)
  t.equal(readFileSync(join(folder, 'edge.yaml'), 'utf8'), 'domain: new.example\n')
  t.equal(readFileSync(join(folder, 'carrier-ca.pem'), 'utf8'), 'the key\n')
  t.equal(readFileSync(join(folder, 'carrier-ca.pem.before-restore'), 'utf8'), 'another key\n')
})

t.test(
  'what is no backup, damaged, of a newer edge or for a running one is refused, and nothing changes',
  async (t) => {
    const { folder, store } = edgeFolder(t)
    const file = join(folder, 'out.backup')
    backUp(folder, file)
    store.close()
    const refused = (content: Uint8Array | string, what: string): void => {
      writeFileSync(join(folder, 'bad'), content)
      t.throws(() => restore(folder, join(folder, 'bad')), { code: 'STATE_BROKEN' }, what)
    }
    refused('hello', 'text')
    refused(readFileSync(storePath(folder)), 'a plain database')
    const half = readFileSync(file)
    refused(half.subarray(0, half.length / 2), 'half of one')
    writeFileSync(join(folder, 'newer'), half)
    const newer = new DatabaseSync(join(folder, 'newer'))
    newer.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`)
    newer.close()
    refused(readFileSync(join(folder, 'newer')), 'a newer one')
    t.throws(() => restore(folder, join(folder, 'none')), { code: 'NO_STATE' })
    const lock = lockFolder(folder)
    t.throws(() => restore(folder, file), { code: 'FOLDER_LOCKED' })
    lock.release()
    const again = openStore(storePath(folder))
    t.teardown(() => again.close())
    t.match(again.agents.byName('office'), { key: key(2) })
    t.match(again.invitations.byHash(key(12)), { name: 'later' })
    t.same(
      readdirSync(folder).filter((name) => name.startsWith('.')),
      [],
    )
  },
)

t.test('a backup of an older edge, with the form that its state had, is brought up to date', async (t) => {
  const { folder, store } = edgeFolder(t)
  store.close()
  const old = new DatabaseSync(join(folder, 'old.db'))
  old.exec(`${MIGRATIONS[0]} PRAGMA user_version = 1; CREATE TABLE backup_files (path TEXT, content BLOB)`)
  old.exec(
    `INSERT INTO agents (name, key, limits, joined_at) VALUES ('older', x'${'05'.repeat(32)}', '{"hosts":[]}', 1)`,
  )
  old.close()
  restore(folder, join(folder, 'old.db'))
  const again = openStore(storePath(folder))
  t.teardown(() => again.close())
  t.match(again.agents.all(), [{ name: 'older', key: key(5) }])
  again.leases.put(lease('blog', 1), 1)
  t.equal(again.leases.all().length, 1)
  t.same(
    readdirSync(folder).filter((name) => name.includes('restore.db') || name.endsWith('.v1')),
    [],
  )
})
