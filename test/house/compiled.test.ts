import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import t, { type Test } from 'tap'
import { type Result, run } from '../support/command.ts'

const PACKAGE = join(import.meta.dirname, '../../scripts/package')
const KEEP = join(PACKAGE, 'keep-code.cjs')
/** What a program does, as far as its loading goes: functions that were compiled when it ran, and one that was not. */
const SCRIPT = `
  const parts = Array.from({ length: 50 }, (_, at) => (times) => 'part '.repeat(times % 2) + at)
  function unused() { return 'never called' }
  exports.said = parts.map((part) => part(parts.length)).join(' ').length + ' letters of ' + parts.length
`
const SAID = '139 letters of 50\n'

async function program(t: Test): Promise<{ start: (...flags: string[]) => Promise<Result>; code: string }> {
  const folder = t.testdir({
    'main.cjs': `process.stdout.write(require('./load.cjs').loadScript('engawa-test').said + '\\n')`,
    'engawa-test.cjs': SCRIPT,
  })
  const entry = { in: join(PACKAGE, 'load.ts'), out: 'load' }
  const outExtension = { '.js': '.cjs' }
  await build({ entryPoints: [entry], outdir: folder, outExtension, bundle: true, platform: 'node', format: 'cjs' })
  const start = (...flags: string[]): Promise<Result> => run([process.execPath, ...flags, join(folder, 'main.cjs')])
  t.match(await start('--require', KEEP), { code: 0, stdout: SAID })
  t.match(await start('--require', KEEP), { code: 0, stdout: SAID, stderr: '' }, 'taken: it would have complained')
  return { start, code: globSync(join(folder, '*.code'))[0] ?? '' }
}

t.test('a program starts with damaged compiled code, without it, and says so: docs/decisions/0017', async (t) => {
  const { start, code } = await program(t)
  t.match(await start(), { code: 0, stdout: SAID, stderr: '' }, 'undamaged: nothing to say')
  const good = readFileSync(code)
  const places = [0, 40, 64, 0.2, 0.4, 0.6, 0.8, 1].map((at) => Math.floor(at <= 1 ? at * (good.length - 1) : at))
  const damages = places.map((at) => {
    const bad = good.map((byte, index) => (index >= at && index < at + 24 ? byte ^ 0xa5 : byte))
    return { what: `24 bytes from ${at} on`, bad }
  })
  const noise = good.map((byte, index) => (index < 64 ? byte : 0x5a))
  damages.push({ what: 'all but its head', bad: noise })
  damages.push({ what: 'cut off', bad: good.subarray(0, good.length >> 1) }, { what: 'empty', bad: Buffer.alloc(0) })
  for (const { what, bad } of damages) {
    writeFileSync(code, bad)
    // oxlint-disable-next-line no-await-in-loop -- one file for all
    t.match(await start(), { code: 0, stdout: SAID, stderr: /engawa-test\.code is damaged/ }, what)
  }
})

t.test('a program starts without any compiled code', async (t) => {
  const { start, code } = await program(t)
  rmSync(code)
  t.match(await start(), { code: 0, stdout: SAID, stderr: '' })
})
