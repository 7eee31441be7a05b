import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { program } from '@engawa/edge/commands/program'
import { type EdgeFlags, edgeSettings } from '@engawa/edge/config'
import { type RunningEdge, startEdge } from '@engawa/edge/edge'
import type { EdgeEvent } from '@engawa/edge/events'
import { createLog } from '@engawa/edge/log'
import t, { type Test } from 'tap'
import { type Home, joinHome, logIn } from './support/home.ts'
import { LONG, PATIENCE } from './support/patience.ts'

const FLAGS: EdgeFlags = {
  http: '127.0.0.1:0',
  https: '127.0.0.1:0',
  admin: '127.0.0.1:0',
  bind: '127.0.0.1',
}

const ignore = (): void => {}

interface World {
  readonly folder: string
  readonly edge: RunningEdge
  readonly events: EdgeEvent[]
  /** Warnings and worse, as they are logged. */
  readonly logged: string[]
  readonly event: (kind: EdgeEvent['event']) => Promise<EdgeEvent>
  /** Runs a command against the folder. */
  readonly command: (...line: string[]) => Promise<{ exit: number; out: string; err: string }>
  readonly home: (name: string, ...flags: string[]) => Promise<Home>
}

async function world(t: Test, flags: EdgeFlags = {}, folder = newFolder(t)): Promise<World> {
  const events: EdgeEvent[] = []
  const logged: string[] = []
  const waiting = new Set<() => void>()
  const settings = edgeSettings({ flags: { ...FLAGS, ...flags }, language: 'en', mayBindLow: false })
  const edge = await startEdge(settings, {
    folder,
    log: createLog('warn', (line) => logged.push(line)),
    onEvent: (event) => {
      events.push(event)
      for (const look of waiting) look()
    },
  })
  t.teardown(() => edge.stop(0))
  const command = (...line: string[]) => commandIn(folder, line)
  return {
    folder,
    edge,
    events,
    logged,
    command,
    event: (kind) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = events.find(({ event }) => event === kind)
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
    home: async (name, ...more) => joinHome(lineOf((await command('invite', name, '--json', ...more)).out)),
  }
}

function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'edge-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'data')
}

async function commandIn(folder: string, line: readonly string[]) {
  let [out, err] = ['', '']
  const exit = await program([...line, '--data', folder], {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: {},
    columns: 80,
    outIsTty: false,
    errIsTty: false,
    onSignal: () => {},
    onHangup: () => {},
  })
  return { exit, out, err }
}

function lineOf(json: string): string {
  return (JSON.parse(json) as { line: string }).line
}

function ask(
  port: string,
  path = '/',
  host = 'blog.localhost',
  headers = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = get(`http://${port}${path}`, { headers: { host, ...headers }, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', reject)
    })
    request.on('error', reject)
  })
}

/** Sends bytes as they are and answers what comes until the end. */
function say(address: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(Number(address.split(':')[1]), '127.0.0.1', () => socket.write(bytes))
    socket.on('data', (part) => (text += part.toString('latin1')))
    socket.on('error', () => {})
    socket.once('close', () => resolve(text))
  })
}

t.test('an edge makes its state, is ready and says where', async (t) => {
  const { folder, edge, events } = await world(t)
  t.match(edge.ready, {
    event: 'ready',
    http: /^127\.0\.0\.1:[1-9]/,
    admin: /^127\.0\.0\.1:[1-9]/,
    domain: 'localhost',
  })
  t.equal(edge.ready.carrier, edge.ready.https)
  t.strictSame(events, [edge.ready])
  t.equal(statSync(folder).mode & 0o777, 0o700)
  for (const secret of ['admin.token', 'admin.sock', 'edge.db', 'carrier-ca.pem', 'visitors-ca.pem']) {
    t.equal(statSync(join(folder, secret)).mode & 0o777, 0o600, secret)
  }
})

t.test('an old folder that others may look into: warnings, and the admin token is closed', async (t) => {
  const folder = newFolder(t)
  const first = await world(t, {}, folder)
  await first.edge.stop(0)
  for (const name of ['carrier-ca.pem', 'admin.token']) chmodSync(join(folder, name), 0o644)
  const { logged } = await world(t, {}, folder)
  t.match(logged.join(''), /"files":\["[^"]*carrier-ca\.pem"\].*chmod 600/)
  t.match(logged.join(''), /admin token/)
  t.equal(statSync(join(folder, 'admin.token')).mode & 0o777, 0o600)
  t.equal(statSync(join(folder, 'lock')).mode & 0o777, 0o600)
  t.notMatch(first.logged.join(''), /chmod|could read/, 'its own files are right')
})

t.test('a folder in which everybody may write is refused', async (t) => {
  const folder = newFolder(t)
  mkdirSync(folder)
  chmodSync(folder, 0o777)
  await t.rejects(world(t, {}, folder), { code: 'STATE_BROKEN', message: /everybody may write in .*chmod 700/ })
})

t.test('a second edge in the same folder is told who runs', async (t) => {
  const { folder, command } = await world(t)
  await t.rejects(world(t, {}, folder), { code: 'FOLDER_LOCKED', message: String(process.pid) })
  const { exit, err } = await command('run', '--http', '127.0.0.1:0', '--https', '127.0.0.1:0', '--admin', 'off')
  t.equal(exit, 1)
  t.match(err, String(process.pid))
})

t.test('a taken port is named with the flag that moves it', async (t) => {
  const { edge } = await world(t)
  const wrong = { http: edge.ready.http }
  await t.rejects(world(t, wrong), { code: 'LISTEN_FAILED', message: /taken by another program.*--http/ })
  await t.rejects(world(t, { admin: edge.ready.http }), { code: 'LISTEN_FAILED', message: /--admin/ })
  await t.rejects(world(t, { carrier: '203.0.113.1:0' }), { code: 'LISTEN_FAILED', message: /--carrier/ })
})

t.test('an agent joins by invitation, publishes, is seen, revoked and gone', async (t) => {
  const { edge, home, command, event, events } = await world(t)
  const joined = await home('home')
  const agent = await logIn(joined)
  t.match(await event('agent_online'), { agent: 'home', session: agent.session, remote: /^127\.0\.0\.1:/ })
  const port = edge.ready.http.split(':')[1]
  t.match(await agent.bind({}), { type: 'bound', public: `http://blog.localhost:${port}` })
  t.match(await event('tunnel_open'), { agent: 'home', name: 'blog', protocol: 'http' })
  t.match(await ask(edge.ready.http), { status: 200, body: 'hello' })

  t.match(JSON.parse((await command('agents', '--json')).out), {
    name: 'home',
    state: 'online',
    tunnels: 1,
    carriers: 1,
  })
  t.match(JSON.parse((await command('tunnels', '--json')).out), {
    name: 'blog',
    agent: 'home',
    live: true,
    total: 1,
    carriers: [
      {
        carrier: 1,
        family: 'IPv4',
        remote: /^127\.0\.0\.1:\d+$/,
        inFlightBytes: Number,
        resentBytes: 0,
        heardMs: Number,
        suspect: false,
      },
    ],
    service: { reachable: true, ageMs: Number },
  })
  t.match(
    (await command('tunnels')).out,
    /http:\/\/blog\.localhost:\d+ +home +http:\/\/127\.0\.0\.1:1 +live +reached [\d.]+ s ago/,
  )
  t.match((await command('agents')).out, /^AGENT.*\nhome +online/)
  const status = await command('status', '--json')
  t.equal(status.exit, 0)
  t.match(JSON.parse(status.out), { serves: true, agents: { online: 1, known: 1 }, tunnels: { live: 1, all: 1 } })

  t.match((await command('agents', 'rename', 'home', 'house')).out, '"house"')
  t.match(JSON.parse((await command('agents', '--json')).out), { name: 'house', state: 'online' })
  t.match(await command('agents', 'revoke', 'nobody'), { exit: 1, err: /nobody/ })

  const before = performance.now()
  t.equal((await command('agents', 'revoke', 'house')).exit, 0)
  t.match(await agent.ended, { code: 'REVOKED' })
  t.ok(performance.now() - before < PATIENCE * 1000, 'within a second')
  t.match(await event('agent_offline'), { agent: 'house', code: 'REVOKED' })
  t.ok(events.some(({ event }) => event === 'tunnel_closed'))
  t.equal((await ask(edge.ready.http)).status, 404)
  await t.rejects(logIn(joined), { code: 'REVOKED' })
  t.match(JSON.parse((await command('agents', '--json')).out), { name: 'house', state: 'revoked' })
})

t.test('a revoked agent loses its port and what runs there', async (t) => {
  const { home, command } = await world(t)
  const agent = await logIn(await home('home'), (stream) => {
    stream.accept()
    stream.handler = { data: (bytes) => stream.write(bytes.slice()), end: ignore, reset: ignore, drain: ignore }
  })
  const bound = await agent.bind({ name: 'echo', protocol: 'tcp', target: 'tcp://22' })
  const [port = 0] = bound['ports'] as number[]
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  socket.write('ping')
  await new Promise((resolve) => socket.once('data', resolve))
  const closed = new Promise((resolve) => socket.once('close', resolve))
  await command('agents', 'revoke', 'home')
  await closed
  await t.rejects(
    new Promise((resolve, reject) => connect(port, '127.0.0.1').once('connect', resolve).once('error', reject)),
    { code: 'ECONNREFUSED' },
  )
})

t.test('people can be managed while no edge runs, and an invitation is good afterwards', async (t) => {
  const folder = newFolder(t)
  const flags = { https: 'off', carrier: '127.0.0.1:0' }
  const first = await world(t, flags, folder)
  await first.edge.stop(0)
  const made = await first.command('invite', 'home')
  t.match(made.out, /agent join engawa1:/)
  t.match(made.out, 'works on this machine only')
  t.match(made.out, 'No edge runs now')
  const { out } = await first.command('invite', 'home', '--json', '--expires', '2h', '--names', 'blog,shop-*')
  const invitation = JSON.parse(out) as { line: string; expires: string; addresses: string[]; reach: string }
  t.match(invitation, { event: 'invitation', name: 'home', addresses: [first.edge.ready.carrier], reach: 'local' })
  t.ok(Math.abs(Date.parse(invitation.expires) - Date.now() - 7_200_000) < 60_000)
  t.match(await first.command('status'), { exit: 4, err: /edge run/ })
  t.match(await first.command('tunnels'), { exit: 4 })
  t.match(await first.command('agents'), { exit: 0, out: /No agents yet/ })
  t.match(await first.command('ca'), { exit: 1, err: /--https off/ })

  const second = await world(t, { ...flags, carrier: first.edge.ready.carrier }, folder)
  const agent = await logIn(await joinHome(invitation.line))
  t.equal(agent.agent, 'home')
  t.match(await agent.bind({ name: 'other' }), { type: 'refused', code: 'NAME_NOT_ALLOWED' })
  t.match(await agent.bind({ name: 'shop-1', service: 2 }), { type: 'bound' })
  await second.edge.stop(0)
  t.match(await agent.ended, { code: 'SESSION_CLOSED' })
  t.match((await second.command('agents')).out, /home +offline/)
  t.equal((await second.command('agents', 'revoke', 'home')).exit, 0)
  t.match((await second.command('agents')).out, /home +revoked/)
})

t.test('wrong invitations are refused before anything is made', async (t) => {
  const { command } = await world(t)
  for (const [line, message] of [
    ['invite no.dots', /name/],
    ['invite home --expires soon', /30s|1h/],
    ['invite home --expires 99d', /30d/],
    ['invite home --ports 0', /port/],
    ['invite home --names a_b', /pattern/],
    ['invite home --hosts localhost', /domain/],
  ] as const) {
    t.match(await command(...line.split(' ')), { exit: 2, out: '', err: message }, line)
  }
})

t.test('a stop lets what runs finish, takes nothing new, and a hurry ends that', async (t) => {
  const { edge, home, event } = await world(t)
  let answer: () => void = ignore
  const opened = Promise.withResolvers<void>()
  const agent = await logIn(await home('home'), (stream) => {
    stream.accept()
    stream.handler = {
      data: (bytes) => {
        stream.consumed(bytes.length)
        opened.resolve()
        answer = () => {
          stream.write(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate'))
          stream.end()
        }
      },
      end: ignore,
      reset: ignore,
      drain: ignore,
    }
  })
  await agent.bind({})
  const asked = ask(edge.ready.http)
  await opened.promise
  const stopping = edge.stop(30_000)
  await agent.message('drain')
  await t.rejects(ask(edge.ready.http), { code: 'ECONNREFUSED' })
  answer()
  t.match(await asked, { status: 200, body: 'late' })
  await stopping
  t.match(await event('agent_offline'), { code: 'SESSION_CLOSED' })
})

t.test('a hurried stop cuts what runs', async (t) => {
  const { edge, home } = await world(t)
  const opened = Promise.withResolvers<void>()
  const agent = await logIn(await home('home'), (stream) => {
    stream.accept()
    opened.resolve()
  })
  await agent.bind({})
  // Whether the answer or the end of the socket comes first is no matter.
  const asked = ask(edge.ready.http).then(
    ({ status }) => t.equal(status, 502),
    (error) => t.match(error, { code: 'ECONNRESET' }),
  )
  await opened.promise
  await edge.stop(30_000, Promise.resolve())
  await asked
})

t.test('the admin API on TCP: token, Host, Origin', async (t) => {
  const { edge, folder } = await world(t)
  const token = readFileSync(join(folder, 'admin.token'), 'utf8').trim()
  const bearer = { authorization: `Bearer ${token}` }
  const { admin } = edge.ready
  t.equal((await ask(admin, '/api/health', 'localhost')).body, '{"status":"serving"}')
  t.equal((await ask(admin, '/api/status', 'localhost')).status, 401)
  t.equal((await ask(admin, '/api/status', 'localhost', bearer)).status, 200)
  t.equal((await ask(admin, '/api/status', 'evil.example', bearer)).status, 403)
  t.match(await say(admin, `GET /api/status HTTP/1.0\r\nAuthorization: Bearer ${token}\r\n\r\n`), /^HTTP\/1\.1 403 /)
  t.match(await say(admin, `GET /api/status HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 403 /)
  t.equal((await ask(admin, '/api/status', admin, { ...bearer, origin: 'https://evil.example' })).status, 403)
  await say(admin, '\x16\x03\x01garbage\r\n\r\n')
  t.equal((await ask(admin, '/api/health', 'localhost')).status, 200)
})

t.test('take-overs in a row leave no socket, timer or listener behind', { timeout: 280_000 }, async (t) => {
  const { home } = await world(t)
  const times = LONG ? 1000 : 200
  const here = await home('home')
  let holder = await logIn(here)
  await holder.bind({ name: 'blog' })
  const takeOver = async (): Promise<void> => {
    const former = holder
    holder = await logIn(here)
    t.equal((await former.ended).code, 'REPLACED')
    await holder.bind({ name: 'blog' })
  }
  await takeOver()
  const before = await rested()
  const from = performance.now()
  for (let count = 0; count < times; count++) await takeOver()
  const took = performance.now() - from
  const after = await rested()
  t.comment(`${times} take-overs, ${(took / times).toFixed(1)} ms each`)
  t.same(after, before)
  holder.pump.end('SESSION_CLOSED')
})

/** What keeps this process busy, by kind. A timer that has just fired stands as the immediate in which it ticks. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const resource of process.getActiveResourcesInfo()) {
    const kind = resource === 'Immediate' ? 'Timeout' : resource
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** What is there once nothing has changed for a second: what is written together waits for half of one. */
async function rested(): Promise<Record<string, number>> {
  let last = resources()
  for (let since = performance.now(), startedAt = since; performance.now() - since < 1000; ) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    const now = resources()
    // A timer that runs once a second may stand on either side of a count: it is not waited for without end.
    if (JSON.stringify(now) !== JSON.stringify(last) && performance.now() - startedAt < 15_000)
      since = performance.now()
    last = now
  }
  return last
}
