import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { run } from '../support/command.ts'
import { plainEnv } from '../support/program.ts'

const DEMO = [process.execPath, '-C', 'engawa-source', join(import.meta.dirname, '../demo/demo.ts')] as const

t.test('the demo proves itself and ends, in both languages', async (t) => {
  for (const [LANG, proven] of [
    ['C.UTF-8', 'It works.'],
    ['ja_JP.UTF-8', '動いています。'],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop -- one demo at a time on a small machine
    const { code, stdout, stderr } = await run([...DEMO, '--once'], { env: { LANG } })
    t.equal(code, 0, stdout + stderr)
    t.match(stdout, proven)
    t.equal(stdout.match(/RST/g)?.length, 2, 'the line was cut twice')
    t.notMatch(stdout, /undefined|NaN/)
  }
})

t.test('without --once it stays until Ctrl-C, then puts everything away', async (t) => {
  const [file, ...args] = DEMO
  const demo = spawn(file, args, { env: plainEnv(), stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => demo.kill('SIGKILL'))
  const ended = new Promise<number | null>((resolve) => demo.once('close', resolve))
  let last = ''
  for await (const line of createInterface({ input: demo.stdout })) {
    last = line
    if (line.includes('Ctrl-C')) demo.kill('SIGINT')
  }
  t.equal(await ended, 0)
  t.match(last, /put away/)
})
