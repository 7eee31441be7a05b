import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { LogFile } from '../../src/access/file.ts'

/** Resolves when the file holds this. */
async function holds(path: string, text: string): Promise<void> {
  const watching = watch(join(path, '..'))
  try {
    // oxlint-disable-next-line no-await-in-loop -- one change after the other
    while (read(path) !== text) await once(watching, 'change')
  } finally {
    watching.close()
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function logFile(t: Test): { path: string; file: LogFile; troubles: unknown[] } {
  const path = join(t.testdir({}), 'access.log')
  const troubles: unknown[] = []
  const file = new LogFile(path, (error, dropped) => troubles.push([(error as NodeJS.ErrnoException).code, dropped]))
  t.teardown(() => file.close())
  return { path, file, troubles }
}

/** The most that this process may write into a file: behind that it takes a part, as a disk that is full. */
function limit(bytes: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:unlimited`])
}

t.test('lines come in order, all of them by the end', async (t) => {
  const { path, file } = logFile(t)
  const lines = Array.from({ length: 10_000 }, (_, index) => `line ${index}\n`)
  for (const line of lines) file.write(line)
  await file.close()
  t.equal(read(path), lines.join(''))
  t.equal(statSync(path).mode & 0o777, 0o640)
  file.write('too late\n')
  t.equal(read(path), lines.join(''))
})

t.test('a file that is moved away is made anew: at once when told', async (t) => {
  const { path, file } = logFile(t)
  file.write('one\n')
  await holds(path, 'one\n')
  renameSync(path, `${path}.1`)
  file.reopen()
  file.write('two\n')
  await holds(path, 'two\n')
  t.equal(read(`${path}.1`), 'one\n')
})

t.test('a file that is moved away or removed is found out without being told, and no line is lost', async (t) => {
  const { path, file } = logFile(t)
  file.write('0\n')
  await holds(path, '0\n')
  renameSync(path, `${path}.1`)
  const watching = watch(join(path, '..'))
  t.teardown(() => watching.close())
  let count = 0
  const timer = setInterval(() => file.write(`${++count}\n`), 20)
  t.teardown(() => clearInterval(timer))
  while (read(path) === '') await once(watching, 'change')
  clearInterval(timer)
  await file.close()
  const all = Array.from({ length: count + 1 }, (_, index) => `${index}\n`).join('')
  t.equal(read(`${path}.1`) + read(path), all)
  t.ok(count < 200, `noticed after ${count} lines`)
})

t.test('a truncated file goes on at its end', async (t) => {
  const { path, file } = logFile(t)
  file.write('one\n')
  await holds(path, 'one\n')
  truncateSync(path)
  file.write('two\n')
  await holds(path, 'two\n')
  t.pass('no hole before it')
})

t.test('a file that cannot be written costs lines, never traffic, and comes back', async (t) => {
  const { path, file, troubles } = logFile(t)
  mkdirSync(path)
  file.write('lost or late\n')
  while (troubles.length === 0) await new Promise(setImmediate)
  t.match(troubles, [['EISDIR']])
  for (let count = 0; count < 10; count++) file.write('x'.repeat(1024 * 1024))
  t.equal(troubles.length, 1, 'not asked again for each line')
  rmSync(path, { recursive: true })
  file.reopen()
  file.write('back\n')
  await file.close()
  t.match(read(path), /^lost or late\n[^]*$/)
  t.ok(read(path).length < 5 * 1024 * 1024, 'what waited was bounded')
})

t.test('behind a line that was cut off, by a full disk or a crash, the next one begins afresh', async (t) => {
  const { path, file, troubles } = logFile(t)
  writeFileSync(path, 'whole\nhal')
  file.write('one\n')
  await holds(path, 'whole\nhal\none\n')
  process.on('SIGXFSZ', () => {})
  limit('20')
  try {
    file.write('another line\n')
    while (troubles.length === 0) await new Promise(setImmediate)
  } finally {
    limit('unlimited')
  }
  t.match(troubles, [['EFBIG', 1]])
  t.equal(read(path), 'whole\nhal\none\nanothe')
  file.reopen()
  file.write('two\n')
  await file.close()
  t.equal(read(path), 'whole\nhal\none\nanothe\ntwo\n')
})
