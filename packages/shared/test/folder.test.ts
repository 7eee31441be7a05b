import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import {
  closeToOthers,
  defaultFolder,
  exposedFiles,
  keepOwner,
  makeFolder,
  plainly,
  readIfThere,
  writeAtomic,
} from '@engawa/shared/folder'
import { lockFolder } from '@engawa/shared/lock'
import t from 'tap'

t.test('the default folder is the system’s for root, the user’s own otherwise', async (t) => {
  t.equal(defaultFolder('edge', {}, 0), '/var/lib/engawa/edge')
  t.equal(defaultFolder('agent', { XDG_STATE_HOME: '/state' }, 1000), '/state/engawa/agent')
  t.equal(defaultFolder('agent', { HOME: '/home/a' }, 1000), '/home/a/.local/state/engawa/agent')
  t.equal(
    defaultFolder('agent', { HOME: '/home/a', XDG_STATE_HOME: 'state' }, 1000),
    '/home/a/.local/state/engawa/agent',
  )
})

t.test('a folder of secrets is 0700 and its files 0600', async (t) => {
  const folder = join(t.testdir(), 'a/b')
  makeFolder(folder)
  t.equal(statSync(folder).mode & 0o777, 0o700)
  const path = join(folder, 'key')
  writeAtomic(path, 'one')
  chmodSync(path, 0o644)
  writeAtomic(path, new Uint8Array([116, 119, 111]))
  t.equal(readFileSync(path, 'utf8'), 'two')
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(readdirSync(folder), ['key'], 'nothing temporary stays')
  t.equal(readIfThere(path), 'two')
  t.equal(readIfThere(join(folder, 'none')), undefined)
})

t.test('what cannot be written leaves the old file and no other', async (t) => {
  const folder = t.testdir({ key: 'old', blocked: { inside: '' } })
  t.throws(() => writeAtomic(join(folder, 'blocked'), 'new'), { code: /EISDIR|ENOTEMPTY|EEXIST/ })
  t.same(readdirSync(folder).toSorted(), ['blocked', 'key'])
})

t.test('kill -9 while writing leaves the old file or the new one, never a torn one', async (t) => {
  const folder = t.testdir({})
  const path = join(folder, 'state')
  const script = `import { writeAtomic } from '@engawa/shared/folder'
    for (let n = 0; ; n++) {
      writeAtomic(process.argv[1], String(n % 10).repeat(1 << 20))
      if (n === 5) console.log('under way')
    }`
  const child = spawn(process.execPath, ['-C', 'engawa-source', '--input-type=module-typescript', '-e', script, path], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.match(readFileSync(path, 'utf8'), /^(\d)\1{1048575}$/)
  writeAtomic(path, 'next')
  t.equal(readFileSync(path, 'utf8'), 'next')
})

t.test('a folder in which everybody may write is not served', async (t) => {
  const folder = t.testdir({ home: {} })
  const home = join(folder, 'home')
  for (const mode of [0o777, 0o1777, 0o702]) {
    chmodSync(home, mode)
    t.throws(() => lockFolder(home), { code: 'STATE_BROKEN', message: /chmod 700/, ja: /chmod 700/ })
    t.same(readdirSync(home), [], 'nothing is made there')
  }
  chmodSync(home, 0o775)
  const lock = lockFolder(home)
  t.equal(statSync(join(home, 'lock')).mode & 0o777, 0o600)
  lock.release()
})

t.test('files that others may read are found, and closed', async (t) => {
  const folder = t.testdir({ open: 'x', group: 'x', own: 'x', folder: {} })
  for (const [name, mode] of Object.entries({ open: 0o644, group: 0o640, own: 0o600 })) {
    chmodSync(join(folder, name), mode)
  }
  symlinkSync(join(folder, 'open'), join(folder, 'link'))
  const found = exposedFiles(folder, ['open', 'group', 'own', 'folder', 'link', 'none'])
  t.same(found, [join(folder, 'open'), join(folder, 'group')])
  t.ok(closeToOthers(join(folder, 'open')))
  t.notOk(closeToOthers(join(folder, 'open')))
  t.equal(statSync(join(folder, 'open')).mode & 0o777, 0o600)
})

const notRoot = process.getuid?.() === 0 ? false : 'only root can give files away'
t.test('written files belong to the owner of the folder', { skip: notRoot }, async (t) => {
  const folder = t.testdir({})
  chownSync(folder, 12_345, 12_346)
  writeAtomic(join(folder, 'key'), 'x')
  const { uid, gid } = statSync(join(folder, 'key'))
  t.same([uid, gid], [12_345, 12_346])
})

t.test('the owner of a folder gets no file of others by a link', { skip: notRoot }, async (t) => {
  const folder = t.testdir({ outside: 'root’s', home: {} })
  const outside = join(folder, 'outside')
  const home = join(folder, 'home')
  chownSync(home, 12_345, 12_346)
  for (const name of ['agent.sock', 'key']) symlinkSync(outside, join(home, name))
  keepOwner(join(home, 'agent.sock'))
  writeAtomic(join(home, 'key'), 'x')
  t.same([statSync(outside).uid, readFileSync(outside, 'utf8')], [0, 'root’s'])
})

t.test('the lock is no link to a file that is made elsewhere', async (t) => {
  const folder = t.testdir({ home: {} })
  const elsewhere = join(folder, 'elsewhere')
  symlinkSync(elsewhere, join(folder, 'home/lock'))
  t.throws(() => lockFolder(join(folder, 'home')), { code: 'STATE_BROKEN' })
  t.notOk(existsSync(elsewhere))
})

function refusal(code: string): Error {
  return Object.assign(new Error(code), { code, path: '/x' })
}

t.test('what the system refuses is told plainly, in both languages', async (t) => {
  const file = join(t.testdir({ file: '' }), 'file')
  for (const folder of [file, join(file, 'below')]) {
    const found = t.throws(() => makeFolder(folder)) as unknown as Error
    t.match(plainly(found), { code: 'FILE_REFUSED', message: /a folder is needed/, ja: /フォルダー/, cause: found })
  }
  t.match(plainly(refusal('EACCES')), { code: 'FILE_REFUSED', message: /no permission for \/x: sudo/, ja: /権限/ })
  t.match(plainly(refusal('ENOSPC')), { code: 'FILE_REFUSED', message: /the disk is full: \/x/ })
  t.match(plainly(refusal('EROFS')), { code: 'FILE_REFUSED' })
  const own = refusal('EBADF')
  t.equal(plainly(own), own)
  t.equal(plainly('text'), 'text')
})
