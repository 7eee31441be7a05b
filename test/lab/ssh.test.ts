// A program that knows nothing of us: an ssh session over a cut and a move to another address.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import t from 'tap'
import { plainEnv } from '../support/program.ts'
import { startSshd } from '../support/sshd.ts'
import { LONG, PATIENCE } from '../support/tools.ts'
import { moment } from './faults.ts'
import { lab } from './lab.ts'
import { EDGE, SERVICE, withoutLab } from './network.ts'

const CUT_MS = LONG ? 30_000 : 5000
const MOST_MS = 3000 * PATIENCE

t.test('an ssh session', { skip: withoutLab('ssh', 'sshd', 'ssh-keygen') }, async (t) => {
  const here = await lab(t)
  const sshd = await startSshd(here.here, SERVICE)
  const { tunnel } = await here.here.publish('home', `tcp://${SERVICE}:${sshd.port}`)
  const shell = 'while read -r line; do echo "heard $line $$"; done'
  const [file, ...args] = [
    ...here.network.enter('visitor'),
    ...sshd.client(tunnel.port, '-o', `HostName=${EDGE.forVisitors}`, shell),
  ] as [string, ...string[]]
  const ssh = spawn(file, args, { env: plainEnv(), stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => ssh.kill('SIGKILL'))
  const lines = createInterface({ input: ssh.stdout })[Symbol.asyncIterator]()
  const say = async (word: string): Promise<string> => {
    ssh.stdin.write(`${word}\n`)
    return String((await lines.next()).value)
  }
  const id = /^heard hello (\d+)$/.exec(await say('hello'))?.[1]
  t.ok(id, 'a shell at home answers')

  const dropped = here.faults.dropSilently(CUT_MS)
  const typed = say('during the cut')
  const back = await dropped
  t.equal(await typed, `heard during the cut ${id}`)
  const afterCut = moment() - back
  t.ok(afterCut <= MOST_MS, `${Math.round(afterCut)} ms`)

  here.network.moveAgent({ v4: '192.168.1.40' })
  const moved = moment()
  t.equal(await say('moved'), `heard moved ${id}`)
  const afterMove = moment() - moved
  t.ok(afterMove <= MOST_MS, `${Math.round(afterMove)} ms`)
  const figures = [afterCut, afterMove].map(Math.round)
  t.comment(
    `ssh: answers ${figures[0]} ms after a cut of ${CUT_MS / 1000} s, ${figures[1]} ms after a change of address`,
  )
  ssh.stdin.end()
  t.equal(await new Promise((resolve) => ssh.once('close', resolve)), 0)
})
