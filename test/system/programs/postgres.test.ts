import { chownSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../../../packages/edge/test/support/ports.ts'
import { run } from '../../support/command.ts'
import { findTool, without } from '../../support/tools.ts'
import { world } from '../../support/world.ts'

/** Debian keeps the server's programs off everyone's PATH. */
const bin = globSync('/usr/lib/postgresql/*/bin/initdb')
  .toSorted()
  .at(-1)
  ?.replace(/\/initdb$/, '')
const isRoot = process.getuid?.() === 0
const skip =
  without('psql', 'setpriv') ||
  (bin === undefined && without('initdb')) ||
  (!isRoot && 'needs root: PostgreSQL refuses to run as it')

t.test('PostgreSQL', { skip }, async (t) => {
  // Its user is another one, who cannot enter a world's folder.
  const folder = mkdtempSync(join(tmpdir(), 'engawa-postgres-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  const here = await world(t)
  const { stdout: id } = await run(['id', '-u', 'postgres'])
  chownSync(folder, Number(id), -1)
  const as = [
    findTool('setpriv') ?? '',
    '--reuid=postgres',
    '--regid=postgres',
    '--clear-groups',
    '--pdeathsig=KILL',
    '--',
  ] as const
  const made = await run([...as, join(bin ?? '', 'initdb'), '-D', folder, '-A', 'trust', '--no-sync', '-E', 'UTF8'])
  t.equal(made.code, 0, made.stderr)
  const port = await freePort()
  const settings = ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=`]
  const server = here.start('postgres', [
    ...as,
    join(bin ?? '', 'postgres'),
    '-D',
    folder,
    '-p',
    `${port}`,
    ...settings,
  ])
  await server.untilLogged(/ready to accept connections/)
  await here.join('home')
  const { tunnel } = await here.publish('home', `tcp://${port}`)
  const to = ['-h', '127.0.0.1', '-p', `${tunnel.port}`, '-U', 'postgres'] as const

  t.test('psql asks and copies', async (t) => {
    const one = await run(['psql', ...to, '-At', '-c', 'select 6 * 7'])
    t.same([one.code, one.stdout], [0, '42\n'], one.stderr)
    const script = `create table t (a int, b text);
copy t from stdin;
${Array.from({ length: 20_000 }, (_, row) => `${row}\t${'x'.repeat(row % 100)}`).join('\n')}
\\.
select count(*), sum(a), sum(length(b)) from t;
`
    const many = await run(['psql', ...to, '-At', '-v', 'ON_ERROR_STOP=1'], { input: script })
    t.match(many.stdout, /^20000\|199990000\|990000$/m, many.stderr)
  })

  t.test('pgbench, eight clients at a time', { skip: without('pgbench') }, async (t) => {
    const init = await run(['pgbench', ...to, '-i', '-q', 'postgres'])
    t.equal(init.code, 0, init.stderr)
    const bench = await run(['pgbench', ...to, '-c', '8', '-t', '25', 'postgres'])
    t.match(bench.stdout, /number of transactions actually processed: 200\/200/, bench.stderr)
    t.match(bench.stdout, /number of failed transactions: 0/)
  })
})
