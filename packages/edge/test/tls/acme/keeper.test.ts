import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { certificate, server } from '@engawa/edge/identity/x509'
import { openStore, type Store } from '@engawa/edge/store/store'
import type { Solver } from '@engawa/edge/tls/acme/ca'
import { Keeper, type KeeperOptions } from '@engawa/edge/tls/acme/keeper'
import { certificateError } from '@engawa/edge/tls/acme/problem'
import { PublicCertificates } from '@engawa/edge/tls/publics'
import t, { type Test } from 'tap'
import { quiet } from '../../support/edge.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const DAY = 86_400_000
const DIRECTORY = 'https://ca.test/dir'
/** The CA of paper believes everything. */
const SOLVER: Solver = { type: 'http-01', prove: async () => async () => {} }

interface Scene {
  readonly store: Store
  readonly publics: PublicCertificates
  readonly orders: string[]
  readonly keeper: Keeper
  /** Makes the wall clock and the timers go on, and everything that follows happen. */
  readonly pass: (ms: number) => Promise<void>
  fails: Error | undefined
}

/** A keeper whose CA is of paper: it issues for 90 days, or fails. */
function scene(t: Test, wanted: readonly (readonly string[])[], path = join(t.testdir(), 'edge.db')): Scene {
  const clock = new ManualClock()
  const store = openStore(path)
  t.teardown(() => store.close())
  const now = Date.now()
  const wall = (): number => now + clock.now()
  const publics = new PublicCertificates(wall)
  const made: Scene = {
    store,
    publics,
    orders: [],
    fails: undefined,
    pass: async (ms) => {
      await clock.advance(ms)
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
    },
    keeper: undefined as unknown as Keeper,
  }
  const ca: KeeperOptions['ca'] = {
    order: async (hosts) => {
      made.orders.push(hosts.join(' '))
      if (made.fails !== undefined) throw made.fails
      return `${DIRECTORY}/order/${made.orders.length}`
    },
    complete: async (_url, { hosts, key }) => {
      const signer = createPrivateKey(key)
      const from = new Date(Math.floor(wall() / 1000) * 1000)
      const names = { subject: hosts[0] ?? '', issuer: 'paper', key: signer, signer, from }
      return certificate({
        ...names,
        to: new Date(from.getTime() + 90 * DAY),
        extensions: server(signer, signer, hosts),
      })
    },
  }
  const keeper = new Keeper({
    ca,
    directory: DIRECTORY,
    rows: store.certificates,
    wanted: () => wanted,
    solvers: (names) => (names[0]?.startsWith('*.') === true ? [] : [SOLVER]),
    publics,
    limits: { ordersPerHour: 20, ordersPerNamePerHour: 5 },
    clock,
    wall,
    log: quiet,
    changed: () => {},
  })
  t.teardown(() => keeper.close())
  return Object.assign(made, { keeper })
}

t.test('what is wanted is ordered once, and renewed when two thirds of its life are over', async (t) => {
  const here = scene(t, [['a.test'], ['b.test', '*.b.test']])
  here.keeper.look()
  await here.pass(0)
  t.same(here.orders, ['a.test', 'b.test *.b.test'])
  const first = here.publics.find('x.b.test')
  t.ok(first)
  for (let day = 0; day < 59; day++) await here.pass(DAY)
  t.equal(here.orders.length, 2)
  t.equal(here.publics.find('x.b.test'), first)
  for (let day = 0; day < 2; day++) await here.pass(DAY)
  t.equal(here.orders.length, 4)
  t.not(here.publics.find('x.b.test'), first)
})

t.test('a CA that fails for a day is asked 5 times an hour at most, less and less', async (t) => {
  const here = scene(t, [['a.test']])
  here.fails = certificateError({ kind: 'rateLimited', host: 'a.test', detail: 'too many' })
  here.keeper.look()
  for (let minute = 0; minute < 60; minute++) await here.pass(60_000)
  t.equal(here.orders.length, 5)
  for (let minute = 60; minute < 24 * 60; minute++) await here.pass(60_000)
  t.ok(here.orders.length < 20, String(here.orders.length))
  t.match(here.keeper.kept(), [{ names: ['a.test'], until: undefined, problem: { kind: 'rateLimited' } }])
  here.fails = undefined
  for (let minute = 0; minute < 190; minute++) await here.pass(60_000)
  t.match(here.keeper.kept(), [{ names: ['a.test'], until: Number, problem: undefined }])
})

t.test('200 names: 20 orders an hour, also across restarts', async (t) => {
  const names = Array.from({ length: 200 }, (_, index) => [`n${index}.test`])
  const path = join(t.testdir(), 'edge.db')
  const here = scene(t, names, path)
  here.keeper.look()
  await here.pass(0)
  await here.pass(0)
  t.equal(here.orders.length, 20)
  here.keeper.close()
  const again = scene(t, names, path)
  again.keeper.look()
  await again.pass(0)
  t.same(again.orders, [])
})

t.test('a restart tries again at once, except where the CA wants to be left alone', async (t) => {
  for (const [kind, orders] of [
    ['httpUnreachable', 1],
    ['rateLimited', 0],
  ] as const) {
    const path = join(t.testdir(), `${kind}.db`)
    const here = scene(t, [['a.test']], path)
    here.fails = certificateError({ kind, host: 'a.test', detail: 'no' })
    here.keeper.look()
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await here.pass(0)
    here.keeper.close()
    const again = scene(t, [['a.test']], path)
    again.keeper.look()
    // oxlint-disable-next-line no-await-in-loop
    await again.pass(0)
    t.equal(again.orders.length, orders, kind)
  }
})

t.test('a wildcard without a way to prove it is not ordered, and says what is missing', async (t) => {
  const here = scene(t, [['*.lab.test']])
  here.keeper.look()
  await here.pass(0)
  t.same(here.orders, [])
  t.same(here.store.certificates.orders(Date.now() + 1000), [], 'nor counted')
  t.match(here.keeper.kept(), [{ problem: { kind: 'needsDns', host: 'lab.test' } }])
})

t.test('what another process has been given since this one began is not ordered again', async (t) => {
  const path = join(t.testdir(), 'edge.db')
  const former = scene(t, [['a.test']], path)
  const next = scene(t, [['a.test']], path)
  former.keeper.look()
  await former.pass(0)
  t.ok(former.publics.find('a.test'))
  former.keeper.close()
  next.keeper.look()
  await next.pass(0)
  t.same(next.orders, [])
  t.equal(next.publics.find('a.test')?.cert, former.publics.find('a.test')?.cert)
})
