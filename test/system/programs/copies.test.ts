import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { seeded, seededHash } from '../../support/bytes.ts'
import { run } from '../../support/command.ts'
import { startSshd } from '../../support/sshd.ts'
import { without } from '../../support/tools.ts'
import { world } from '../../support/world.ts'

const BYTES = 8 * 1024 * 1024

function hashOf(...path: readonly string[]): string {
  return createHash('sha256')
    .update(readFileSync(join(...path)))
    .digest('hex')
}

t.test('scp and rsync over ssh', { skip: without('ssh', 'sshd', 'ssh-keygen', 'scp', 'rsync') }, async (t) => {
  const here = await world(t, { shim: true })
  const sshd = await startSshd(here)
  await here.join('home')
  const { tunnel } = await here.publish('home', `tcp://${sshd.port}`)
  const [near, far] = [here.folder('near'), here.folder('far')]
  mkdirSync(join(near, 'tree'), { recursive: true })
  mkdirSync(far)
  for (const name of ['one', 'two']) writeFileSync(join(near, 'tree', name), Buffer.concat([...seeded(name, BYTES)]))
  // What `ssh` is called with, but for its own name, the port and the host.
  const options = sshd.client(tunnel.port).slice(1, -3)
  const host = `${userInfo().username}@127.0.0.1`

  t.test('scp there and back, while a carrier is cut', async (t) => {
    const after = here.edge.mark
    void here.shim?.cutAfter(BYTES / 2)
    const there = await run([
      'scp',
      '-q',
      ...options,
      '-P',
      `${tunnel.port}`,
      join(near, 'tree/one'),
      `${host}:${far}/`,
    ])
    await here.edge.until('agent_resumed', { after })
    t.equal(there.code, 0, there.stderr)
    t.equal(hashOf(far, 'one'), seededHash('one', BYTES))
    const back = await run(['scp', '-q', ...options, '-P', `${tunnel.port}`, `${host}:${far}/one`, join(near, 'back')])
    t.equal(back.code, 0, back.stderr)
    t.equal(hashOf(near, 'back'), seededHash('one', BYTES))
  })

  t.test('rsync of a tree, and of what has changed in it', async (t) => {
    const shell = ['ssh', ...options, '-p', `${tunnel.port}`].join(' ')
    const sync = ['rsync', '-a', '--checksum', '--stats', '-e', shell, `${near}/tree/`, `${host}:${far}/tree/`] as const
    const first = await run(['rsync', ...sync.slice(1)])
    t.equal(first.code, 0, first.stderr)
    t.equal(hashOf(far, 'tree', 'two'), seededHash('two', BYTES))
    writeFileSync(join(near, 'tree', 'two'), 'changed')
    const second = await run(['rsync', ...sync.slice(1)])
    t.match(second.stdout, /Number of regular files transferred: 1\n/, second.stderr)
    t.equal(readFileSync(join(far, 'tree', 'two'), 'utf8'), 'changed')
  })
})
