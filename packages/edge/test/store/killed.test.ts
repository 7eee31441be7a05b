import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { storePath } from '@engawa/edge/state'
import { openStore } from '@engawa/edge/store/store'
import t from 'tap'
import { LONG } from '../support/patience.ts'

/** promises.md R7: 200. */
const KILLS = LONG ? 200 : 8
/** A kill comes after at most so many confirmed writes, and so much later: in the middle of the next one. */
const MOST = { writes: 12, ms: 12 }
const WRITER = join(import.meta.dirname, '../support/writer.ts')

t.test(`R7 ${KILLS} times kill -9 while state is written: it opens, and nothing confirmed is lost`, async (t) => {
  const folder = t.testdir({})
  const confirmed = new Map<string, Set<string>>()
  let next = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const writer = spawn(process.execPath, ['-C', 'engawa-source', WRITER, folder, String(next)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    // oxlint-disable-next-line no-await-in-loop -- one process writes at a time
    const lines = await killedAfter(writer, kill)
    for (const line of lines) {
      const [what = '', name = ''] = line.split(' ')
      confirmed.set(name, (confirmed.get(name) ?? new Set()).add(what))
      if (what === 'joined') next = Math.max(next, Number(name.slice(1)))
    }
    // The one that was being written may be there without having been confirmed.
    next += 2
    const lost = missing(folder, confirmed)
    if (lost.length > 0) t.fail(`after kill ${kill + 1}`, { lost })
  }
  t.comment(`${KILLS} kills, ${confirmed.size} agents confirmed`)
  t.ok(confirmed.size >= KILLS)
})

/** Waits for its first word, kills it at a moment that differs from round to round, and answers all that it said. */
async function killedAfter(writer: ChildProcess, round: number): Promise<string[]> {
  const lines: string[] = []
  const closed = once(writer, 'close')
  // Pseudo-random, and the same in each run.
  const dice = createHash('sha256').update(String(round)).digest()
  const writes = 1 + (dice.readUInt16LE(0) % MOST.writes)
  const reader = createInterface({ input: writer.stdout as NodeJS.ReadableStream })
  await new Promise<void>((resolve) => {
    reader.on('line', (line) => {
      lines.push(line)
      if (lines.length > writes) resolve()
    })
    reader.once('close', resolve)
  })
  await setTimeout((dice.readUInt16LE(2) / 65_536) * MOST.ms)
  writer.kill('SIGKILL')
  await closed
  return lines.filter((line) => !line.startsWith('ready'))
}

/** What was confirmed and is not so; also what SQLite finds wrong. */
function missing(folder: string, confirmed: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const store = openStore(storePath(folder))
  try {
    const leases = new Set(store.leases.all().map(({ name }) => name))
    return [...confirmed].flatMap(([name, said]) => {
      const agent = store.agents.byName(name)
      const key = createHash('sha256').update(name).digest()
      const wrong: string[] = []
      if (agent === undefined || store.invitations.byHash(key)?.usedKey === undefined) wrong.push(`${name} joined`)
      if (said.has('revoked') ? agent?.key !== undefined || leases.has(name) : false) wrong.push(`${name} revoked`)
      // Whether the revocation after it had come to the disk is not known where it was not confirmed.
      if (said.has('leased') && !said.has('revoked') && !leases.has(name) && agent?.key !== undefined) wrong.push(name)
      return wrong
    })
  } finally {
    store.close()
  }
}
