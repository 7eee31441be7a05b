import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { run } from '../support/command.ts'
import { mortal, plainEnv } from '../support/program.ts'

const DEMO = [process.execPath, '-C', 'engawa-source', join(import.meta.dirname, '../demo/demo.ts')] as const

t.test('the demo proves itself and ends', async (t) => {
  const { code, stdout, stderr } = await run([...DEMO, '--once'])
  t.equal(code, 0, stdout + stderr)
  t.match(stdout, 'It works.')
  t.equal(stdout.match(/RST/g)?.length, 2, 'the line was cut twice')
  t.notMatch(stdout, /undefined|NaN/)
})

t.test('without --once it stays until Ctrl-C, then puts everything away; in Japanese, too', async (t) => {
  const [file, ...args] = mortal(DEMO)
  const demo = spawn(file, args, { env: plainEnv({ LANG: 'ja_JP.UTF-8' }), stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => demo.kill('SIGKILL'))
  const ended = new Promise<number | null>((resolve) => demo.once('close', resolve))
  const lines: string[] = []
  for await (const line of createInterface({ input: demo.stdout })) {
    lines.push(line)
    if (line.includes('Ctrl-C')) demo.kill('SIGINT')
  }
  t.equal(await ended, 0)
  t.match(lines.join('\n'), '動いています。')
  t.match(lines.at(-1), 'すべて片付けました。')
})
