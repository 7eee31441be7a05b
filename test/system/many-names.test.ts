import { chmodSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { join } from 'node:path'
import { openVisitorsCa } from '@engawa/edge/identity/visitors-ca'
import { openStore } from '@engawa/edge/store/store'
import t, { type Test } from 'tap'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { DIALLED, handshake, quantile } from '../support/acme.ts'
import { rssOf } from '../support/process.ts'
import { Program } from '../support/program.ts'
import { LONG } from '../support/tools.ts'
import { edgeCommand } from '../support/world.ts'

const MIB = 1024 * 1024
/** Nobody listens there: all certificates are there already. */
const DIRECTORY = 'https://127.0.0.1:9/dir'
const REQUESTS = 3000

interface Figures {
  readonly readyMs: number
  readonly rssMiB: number
  /** After each name has been asked for by TLS once. */
  readonly shownMiB: number
  readonly plainMs: number
  readonly handshakeMs: number
}

/** A real edge that starts with so many names and their certificates in its store. */
async function measure(t: Test, count: number): Promise<Figures> {
  const base = t.testdir({ edge: {}, ca: {} })
  const folder = join(base, 'edge')
  chmodSync(folder, 0o700)
  const names = Array.from({ length: count }, (_, index) => `n${index}`)
  const ca = openVisitorsCa(join(base, 'ca'), { domain: 'tunnel.test', addresses: [] }, new Date())
  fill(folder, names, ca)
  const config = join(folder, 'edge.yaml')
  const limits = 'limits: { perAddress: { connections: 20000, newPerSecond: 100000, burst: 100000 } }'
  writeFileSync(config, `tls: { acme: { directory: "${DIRECTORY}" } }\n${limits}\n`)
  const free = await freePort(3)
  const [http, https, admin] = [0, 1, 2].map((at) => `127.0.0.1:${free + at}`) as [string, string, string]
  const listens = ['--http', http, '--https', https, '--admin', admin, '--bind', '127.0.0.1', ...DIALLED]
  const since = performance.now()
  const edge = new Program({
    name: 'edge',
    command: edgeCommand('run', '--json', '--data', folder, '--domain', 'tunnel.test', ...listens),
  })
  t.teardown(() => edge.kill())
  await edge.until('ready')
  const readyMs = performance.now() - since
  const rssMiB = rssOf(edge.pid) / MIB

  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ask = (name: string): Promise<number> => {
    const from = performance.now()
    const [host, port] = http.split(':')
    return new Promise((resolve, reject) => {
      const asked = get({ host, port, path: '/', headers: { host: `${name}.tunnel.test` }, agent }, (response) => {
        // Refused by the rules of the tunnel: so it was found.
        if (response.statusCode !== 403) reject(new Error(String(response.statusCode)))
        response.resume().on('end', () => resolve(performance.now() - from))
      })
      asked.on('error', reject)
    })
  }
  const [plain, handshakes]: [number[], number[]] = [[], []]
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (let at = 0; at < REQUESTS; at++) plain.push(await ask(names[at % count] ?? ''))
  for (let at = 0; at < Math.max(count, 200); at++) {
    const from = performance.now()
    // oxlint-disable-next-line no-await-in-loop
    const socket = await handshake({ https }, { servername: `${names[at % count]}.tunnel.test`, ca: ca.certificate })
    socket.destroy()
    handshakes.push(performance.now() - from)
  }
  const shownMiB = rssOf(edge.pid) / MIB
  return { readyMs, rssMiB, shownMiB, plainMs: quantile(plain, 0.5), handshakeMs: quantile(handshakes, 0.5) }
}

function fill(folder: string, names: readonly string[], ca: ReturnType<typeof openVisitorsCa>): void {
  const store = openStore(join(folder, 'edge.db'))
  store.agents.add({ name: 'home', key: Buffer.alloc(32), grant: { hosts: [] }, now: 0 })
  const rest = { hosts: [], path: undefined, ports: undefined, target: '8080', bare: false, balance: false } as const
  const rules = { allow: [], deny: ['127.0.0.0/8'] }
  const issue = (subject: string): void => {
    const { key, cert: chain } = ca.issue([subject], new Date())
    const issued = { key, chain, directory: DIRECTORY }
    store.certificates.put({ subject, issued, pending: undefined, failures: 0, nextTryAt: 0, problem: undefined })
  }
  store.transaction(() => {
    issue('tunnel.test')
    for (const name of names) {
      store.leases.put({ name, agent: 1, protocol: 'http', ...rest, published: true, rules }, 0)
      issue(`${name}.tunnel.test`)
    }
  })
  store.close()
}

// The table by itself is measured by packages/edge/test/tunnel/many.test.ts, in every run.
t.test(
  'an edge with 1 name and one with 1,000, each with its certificate',
  { skip: !LONG && 'in the long form' },
  async (t) => {
    const figures: Figures[] = []
    for (const count of [1, 1000]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await t.test(`${count}`, async (t) => {
        const found = await measure(t, count)
        figures.push(found)
        const { readyMs, rssMiB, shownMiB, plainMs, handshakeMs } = found
        const memory = `${rssMiB.toFixed(0)} MiB, ${shownMiB.toFixed(0)} MiB once each was asked for`
        t.comment(`${count} names: ready after ${readyMs.toFixed(0)} ms, ${memory}`)
        t.comment(`${count} names: a request ${plainMs} ms, a handshake ${handshakeMs} ms (medians)`)
      })
    }
    const [one, many] = figures
    if (one === undefined || many === undefined) throw new Error('unreachable')
    // Wide: what is to be caught is a search through all names.
    t.ok(many.readyMs < one.readyMs * 3 + 2000)
    t.ok(many.plainMs < one.plainMs * 3 + 5)
    t.ok(many.handshakeMs < one.handshakeMs * 3 + 20)
  },
)
