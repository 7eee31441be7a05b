import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { run } from '../support/command.ts'
import { Program } from '../support/program.ts'
import { without } from '../support/tools.ts'
import { agentCommand, edgeCommand } from '../support/world.ts'

const SERVE = join(import.meta.dirname, '../support/services/serve.ts')
const root = process.getuid?.() === 0 ? false : 'needs root: it mounts a small file system'

t.test(
  'R7 a full disk: traffic and agents go on, and what cannot be kept is refused by name',
  {
    skip: root || without('unshare', 'nsenter', 'curl'),
  },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'engawa-full-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const start = (name: string, command: readonly string[]): Program => {
      const program = new Program({ name, command: command as [string, ...string[]] })
      t.teardown(() => program.kill())
      return program
    }
    // A mount of its own, which goes with the edge.
    const disk = [
      'unshare',
      '--mount',
      'sh',
      '-c',
      'mount -t tmpfs -o size=1m,mode=0700 disk "$1" && shift && exec "$@"',
      'sh',
      folder,
    ]
    const listens = ['--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', 'off', '--bind', '127.0.0.1']
    const edge = start('edge', [...disk, ...edgeCommand('run', '--json', '--data', folder, ...listens)])
    const ready = await edge.until('ready')
    const inside = (...command: readonly string[]): [string, ...string[]] => [
      'nsenter',
      `--target=${edge.pid}`,
      '--mount',
      ...command,
    ]
    const edgeDo = (...words: string[]): ReturnType<typeof run> =>
      run(inside(...edgeCommand(...words, '--data', folder)))
    const service = start('service', [process.execPath, SERVE, 'at home'])
    const { http: port } = await service.until('ready')
    const home = mkdtempSync(join(tmpdir(), 'engawa-full-agent-'))
    t.teardown(() => rmSync(home, { recursive: true, force: true }))
    const line = /engawa1:[\w-]+/.exec((await edgeDo('invite', 'home')).stdout)?.[0] ?? ''
    t.equal((await run(agentCommand('join', line, '--data', home))).code, 0)
    const expose = agentCommand('expose', String(port), '--json', '--data', home)
    const agent = start('agent', expose)
    await agent.until('tunnel', { witnesses: [edge] })
    const fetched = async (): Promise<string> => {
      const { stdout, stderr } = await run([
        'curl',
        '-sS',
        '--header',
        'Host: home.localhost',
        `http://${String(ready['http'])}/`,
      ])
      return stdout + stderr
    }
    t.match(await fetched(), 'at home')

    await run(inside('sh', '-c', `cat /dev/zero > ${folder}/ballast`))
    t.match(await fetched(), 'at home', 'visitors notice nothing')
    const invited = await edgeDo('invite', 'office')
    t.equal(invited.code, 1, invited.stdout)
    t.match(invited.stderr, /^edge: .+\n$/, 'one sentence')
    await agent.kill()
    const again = start('agent again', expose)
    await again.until('tunnel', { deadlineMs: 30_000, witnesses: [edge] })
    t.match(await fetched(), 'at home', 'the agent has its name back')
    // What SQLite had begun is small: a revocation may fit in what was left, and acts at once in any case.
    const revoked = await edgeDo('agents', 'revoke', 'home')
    await again.until('ended', { deadlineMs: 30_000 })
    t.comment(`revoke on a full disk: exit ${revoked.code} ${revoked.stderr.trim()}`)

    await run(inside('rm', join(folder, 'ballast')))
    const later = await edgeDo('invite', 'office')
    t.equal(later.code, 0, `with room again: ${later.stderr}`)
  },
)
