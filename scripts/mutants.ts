// Shows that the tests of the core have teeth: each one-line fault of test/mutants is put into a copy of it, and some
// test has to find it within 30 s. The model test and the tests by id run side by side, so that each shows what it is worth.
// Arguments: parts of names, to try some mutants only.
import { execFileSync, spawn } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { demandKnown } from './command-line.ts'

const ROOT = join(import.meta.dirname, '..')
const LIMIT_MS = 30_000
/** Without a mutant everything has to run to its end, however busy the machine is. */
const CONTROL_MS = 300_000
const MODEL = ['packages/shared/test/mux/model-tapped.test.ts']
/** The rest of the core's tests, the quick ones first; without the fuzzers, which take as long as they are given. */
const BY_ID = ['streams', 'ledger', 'credit', 'life', 'ending', 'flows', 'hostile', 'sweep'].map(
  (name) => `packages/shared/test/mux/${name}.test.ts`,
)
BY_ID.unshift('packages/shared/test/wire/frame.test.ts')
/** Always the same schedules, so that a mutant that was found today is found tomorrow. */
const SETTINGS = { ENGAWA_SEED: '1', ENGAWA_SCHEDULES: '15000', TAP_BAIL: '1' }

interface Find {
  /** The name of the test; undefined when all passed. */
  readonly test: string | undefined
  readonly seconds: number
}

const wanted = process.argv.slice(2)
const every = globSync('test/mutants/*.patch', { cwd: ROOT }).toSorted()
const known = every.map((patch) => basename(patch, '.patch'))
demandKnown(wanted, known, (word, name) => name.includes(word))
const patches = every.filter((patch) => wanted.length === 0 || wanted.some((part) => basename(patch).includes(part)))
let survivors = patches.length === 0 ? 1 : 0

const control = copyWith(undefined)
try {
  for (const { test } of [
    await firstFailure(control, MODEL, CONTROL_MS),
    await firstFailure(control, BY_ID, CONTROL_MS),
  ]) {
    if (test !== undefined) throw new Error(`the tests fail without any mutant: ${test}`)
  }
} finally {
  rmSync(control, { recursive: true, force: true })
}

console.log(`${'mutant'.padEnd(34)} ${'model'.padEnd(10)} by id`)
for (const patch of patches) {
  const folder = copyWith(patch)
  try {
    const [model, byId] = await Promise.all([firstFailure(folder, MODEL), firstFailure(folder, BY_ID)])
    const isFound = model.test !== undefined || byId.test !== undefined
    if (!isFound) survivors++
    const ofModel = model.test === undefined ? '–' : `${model.seconds.toFixed(1)} s`
    const ofId = byId.test === undefined ? '–' : `${byId.seconds.toFixed(1)} s  ${byId.test}`
    console.log(`${basename(patch, '.patch').padEnd(34)} ${ofModel.padEnd(10)} ${ofId}${isFound ? '' : '  SURVIVED'}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
console.log(`${patches.length - survivors} of ${patches.length} mutants found`)
process.exitCode = survivors > 0 ? 1 : 0

/** A copy of the core and its tests, with the fault in it. Throws when the patch does not fit any more. */
function copyWith(patch: string | undefined): string {
  const folder = mkdtempSync(join(tmpdir(), 'engawa-mutant-'))
  for (const path of ['package.json', 'packages/shared/package.json', 'packages/shared/src', 'packages/shared/test']) {
    cpSync(join(ROOT, path), join(folder, path), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  if (patch === undefined) return folder
  const before = contents(folder)
  try {
    execFileSync('git', ['apply', '-p1', join(ROOT, patch)], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
    if (contents(folder) === before) throw new Error('it changes nothing')
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true })
    throw new Error(`${patch} does not fit the source any more: make it anew`, { cause })
  }
  return folder
}

function contents(folder: string): string {
  const files = globSync('packages/shared/src/{mux,wire}/*.ts', { cwd: folder }).toSorted()
  return files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\0')
}

/** Runs the files one after the other until a test fails. One that hangs has found something, too. */
async function firstFailure(folder: string, files: readonly string[], limitMs = LIMIT_MS): Promise<Find> {
  const from = performance.now()
  const since = (): number => (performance.now() - from) / 1000
  for (const file of files) {
    const left = limitMs - (performance.now() - from)
    const test = await failureOf(folder, file, Math.max(left, 1))
    if (test !== undefined) return { test, seconds: since() }
  }
  return { test: undefined, seconds: since() }
}

function failureOf(folder: string, file: string, limitMs: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=engawa-source', file], {
      cwd: folder,
      env: { ...process.env, ...SETTINGS },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let running = basename(file)
    let found: string | undefined
    let rest = ''
    const end = (test: string): void => {
      found ??= test
      child.kill('SIGKILL')
    }
    const timer = setTimeout(() => end(`${running} (did not end)`), limitMs)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.startsWith('# Subtest: ')) running = line.slice('# Subtest: '.length)
        else if (/^\s*not ok |^Bail out!/.test(line)) end(running)
      }
    })
    child.on('error', reject)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve(found ?? (code === 0 ? undefined : `${running} (exit ${code})`))
    })
  })
}
