import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import t from 'tap'
import { seededHash, seededStream } from '../support/bytes.ts'
import { run, runHashed } from '../support/command.ts'
import { plainEnv } from '../support/program.ts'
import { startSshd } from '../support/sshd.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const MIB = 1024 * 1024

t.test('ssh through a TCP tunnel', { skip: without('ssh', 'sshd', 'ssh-keygen') }, async (t) => {
  const here = await world(t, { shim: true })
  const sshd = await startSshd(here)
  await here.join('home')
  const { tunnel } = await here.publish('home', `tcp://${sshd.port}`, '--carriers', '1')
  const { port } = tunnel

  t.test('runs a command and carries bytes both ways', async (t) => {
    const said = await run(sshd.client(port, 'echo', 'from', 'home'))
    t.same([said.code, said.stdout], [0, 'from home\n'], said.stderr)
    const both = await runHashed(sshd.client(port, 'cat'), { input: seededStream('ssh', 20 * MIB) })
    t.same([both.code, both.sha256], [0, seededHash('ssh', 20 * MIB)], both.stderr)
  })

  t.test('a session stays alive while the only carrier is reset twice', async (t) => {
    const [file, ...args] = sshd.client(port, 'while read -r line; do echo "heard $line $$"; done')
    const ssh = spawn(file, args, { env: plainEnv(), stdio: ['pipe', 'pipe', 'inherit'] })
    t.teardown(() => ssh.kill('SIGKILL'))
    const lines = createInterface({ input: ssh.stdout })[Symbol.asyncIterator]()
    const say = async (word: string): Promise<string> => {
      ssh.stdin.write(`${word}\n`)
      return String((await lines.next()).value)
    }
    const shell = /heard hello (\d+)/.exec(await say('hello'))?.[1]
    t.ok(shell, 'a shell at home answers')
    for (const word of ['once', 'twice']) {
      const after = here.edge.mark
      here.shim?.reset()
      // What is typed while the way is cut arrives too.
      // oxlint-disable-next-line no-await-in-loop -- one cut after the other
      t.equal(await say(word), `heard ${word} ${shell}`)
      // oxlint-disable-next-line no-await-in-loop -- one cut after the other
      await here.edge.until('agent_resumed', { after })
    }
    ssh.stdin.end()
    t.equal(await new Promise((resolve) => ssh.once('close', resolve)), 0)
  })

  t.test('a transfer in a session goes on over two resets', async (t) => {
    const cuts = (async (): Promise<void> => {
      await here.shim?.cutAfter(15 * MIB)
      await here.shim?.cutAfter(15 * MIB)
    })()
    const both = await runHashed(sshd.client(port, 'cat'), { input: seededStream('ssh', 40 * MIB) })
    await cuts
    t.same([both.code, both.sha256], [0, seededHash('ssh', 40 * MIB)], both.stderr)
  })
})
