import { readdirSync } from 'node:fs'
import http from 'node:http'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { run } from '../support/command.ts'
import { familyOf } from '../support/process.ts'
import { LONG, PATIENCE, without } from '../support/tools.ts'
import { world } from '../support/world.ts'

/** Slow clients of each kind, and for how long they try; the edge's own limits end most of them earlier. */
const EACH = LONG ? 500 : 50
const SECONDS = LONG ? 60 : 8
/** What slowhttptest itself takes for inaccessible. */
const PATIENCE_MS = 5000 * PATIENCE
/** Until nothing of them is left, after the last one gives up. */
const REST_MS = 15_000 * PATIENCE

const limits = 'limits: { perAddress: { connections: 4000, newPerSecond: 4000, burst: 4000 } }\n'
const config = `${t.testdir({ 'edge.yaml': limits })}/edge.yaml`
// Its Host is that of its URL, so the tunnel has to answer at the bare address.
const here = await world(t, { edgeFlags: ['--config', config, '--public-host', '127.0.0.1'] })
const services = await here.services('web')
await here.join('home')
await here.publish('home', String(services.http), '--name', 'web')

/** What slowhttptest calls its modes: slow heads, slow bodies, ranges, slow readers. */
const MODES: readonly (readonly [name: string, flags: readonly string[], path?: string])[] = [
  ['slow heads', ['-H', '-i', '2']],
  ['slow bodies', ['-B', '-i', '2', '-s', '100000'], '/hash'],
  ['ranges', ['-R', '-a', '1', '-b', '3000']],
  ['slow readers', ['-X', '-w', '10', '-y', '20', '-n', '2', '-z', '5', '-k', '3']],
]

function ask(): Promise<number> {
  const [host = '', port] = here.http.split(':')
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const request = http.get(
      { host, port, path: '/kilobyte', agent: false, headers: { Host: here.host('web') } },
      (answer) => {
        answer.resume().on('end', () => {
          if (answer.statusCode === 200) resolve(performance.now() - startedAt)
          else reject(new Error(`status ${answer.statusCode}`))
        })
      },
    )
    request.on('error', reject)
  })
}

function descriptors(): number {
  return familyOf(here.edge.pid).reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0)
}

t.test(
  `slowhttptest in its four modes at once, ${EACH} clients each: nobody else waits, and nothing stays`,
  { skip: without('slowhttptest') },
  async (t) => {
    await ask()
    const before = descriptors()
    const running = MODES.map(async ([name, flags, path = '/bytes?seed=slow&size=1000000']) => {
      const usual = [
        '-c',
        String(EACH),
        '-r',
        '200',
        '-l',
        String(SECONDS),
        '-x',
        '10',
        '-p',
        String(PATIENCE_MS / 1000),
        '-u',
        `http://${here.http}${path}`,
      ]
      const { code, stdout, stderr } = await run(['slowhttptest', ...flags, ...usual], {
        deadlineMs: (SECONDS + 120) * 1000,
      })
      t.equal(code, 0, `${name} ended: ${stderr}`)
      const said = stripVTControlCharacters(stdout)
      t.match(said, /service available:\s+YES/, `${name}: ${said}`)
      t.notMatch(said, /service available:\s+NO/, name)
    })
    const over = new AbortController()
    const waits: number[] = []
    let most = 0
    const probing = (async () => {
      while (!over.signal.aborted) {
        // oxlint-disable-next-line no-await-in-loop -- one visitor after the other
        waits.push(await ask())
        most = Math.max(most, descriptors())
      }
    })()
    await Promise.all(running)
    over.abort()
    await probing
    const sorted = waits.toSorted((a, b) => a - b)
    const at = (share: number): number => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0)
    t.comment(
      `${waits.length} visitors beside them: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms; ${most - before} descriptors more at most`,
    )
    t.ok(at(1) < PATIENCE_MS, `the worst wait was ${at(1)} ms`)
    t.ok(most - before > EACH, 'they were there')
    const overAt = performance.now()
    const deadline = overAt + REST_MS
    // oxlint-disable-next-line no-await-in-loop -- polling what has no event
    while (descriptors() > before + 2 && performance.now() < deadline) await ask()
    t.comment(`nothing is left ${Math.round(performance.now() - overAt)} ms after the last gave up`)
    t.ok(descriptors() <= before + 2, `${descriptors() - before} descriptors are left`)
  },
)
