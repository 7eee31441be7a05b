import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { holderOf, lockFolder } from '@engawa/shared/lock'
import t, { type Test } from 'tap'

/** Another process that holds the folder's lock. */
async function otherHolder(t: Test, folder: string): Promise<ReturnType<typeof spawn>> {
  const script = `import { lockFolder } from '@engawa/shared/lock'
    lockFolder(process.argv[1]); console.log('held'); setInterval(() => {}, 1e6)`
  const child = spawn(
    process.execPath,
    ['-C', 'engawa-source', '--input-type=module-typescript', '-e', script, folder],
    { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

t.test('a folder is served by one at a time, also within a process', async (t) => {
  const folder = t.testdir({})
  t.equal(holderOf(folder), undefined)
  const lock = lockFolder(folder)
  t.equal(holderOf(folder), process.pid)
  t.throws(() => lockFolder(folder), { code: 'FOLDER_LOCKED', message: new RegExp(`process ${process.pid}`) })
  lock.release()
  lock.release()
  t.equal(holderOf(folder), undefined)
  lockFolder(folder).release()
})

t.test('another process is named, and its lock is free at once after kill -9', async (t) => {
  const folder = t.testdir({})
  const child = await otherHolder(t, folder)
  t.equal(holderOf(folder), child.pid)
  t.throws(() => lockFolder(folder), { code: 'FOLDER_LOCKED', message: new RegExp(`process ${child.pid} `) })
  t.equal(holderOf(folder), child.pid, 'looking does not free it')
  child.kill('SIGKILL')
  await once(child, 'exit')
  t.equal(holderOf(folder), undefined)
  const lock = lockFolder(folder)
  t.equal(holderOf(folder), process.pid)
  lock.release()
})

t.test('a folder that is not there is not held', async (t) => {
  t.equal(holderOf(`${t.testdir({})}/none`), undefined)
})

t.test('a lock file that a power cut has torn is nobody’s', async (t) => {
  for (const torn of [Buffer.alloc(4096, 0x5a), Buffer.from('SQLite format 3\0'), Buffer.alloc(4096)]) {
    const folder = t.testdir({ lock: torn, 'lock-journal': torn })
    const lock = lockFolder(folder)
    t.equal(holderOf(folder), process.pid)
    lock.release()
  }
})
