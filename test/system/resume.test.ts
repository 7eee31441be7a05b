import { createHash } from 'node:crypto'
import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { seeded, seededHash, seededStream } from '../support/bytes.ts'
import { run, runHashed } from '../support/command.ts'
import { connect, read } from '../support/socket.ts'
import { LONG, PATIENCE, without } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

const MIB = 1024 * 1024
const withCurl = { skip: without('curl') }

async function published(
  t: Parameters<typeof world>[0],
  ...flags: readonly string[]
): Promise<{ here: World; tcpPort: number; bulkPort: number }> {
  const here = await world(t, { shim: true })
  const services = await here.services('web')
  await here.join('home')
  const targets = [String(services.http), `tcp://${services.echo}`, `tcp://${services.bulk}`]
  const { tunnels } = await here.publish('home', targets, ...flags)
  return { here, tcpPort: tunnels[1]?.port ?? 0, bulkPort: tunnels[2]?.port ?? 0 }
}

/** Lets the carrier be reset so often, each time after `bytes` more have passed; says how often it was dialled again. */
async function cut(here: World, bytes: number, times = 2): Promise<number> {
  const before = here.shim?.accepted ?? 0
  for (let count = 0; count < times; count++) {
    // oxlint-disable-next-line no-await-in-loop -- one cut after the other
    await here.shim?.cutAfter(bytes)
  }
  return (here.shim?.accepted ?? 0) - before
}

t.test('the only carrier is reset', { timeout: LONG ? 600_000 : 280_000 }, async (t) => {
  const { here, tcpPort, bulkPort } = await published(t, '--carriers', '1')

  const size = LONG ? 1024 * MIB : 100 * MIB
  const times = LONG ? 10 : 2
  t.test(`${times} times in a ${size / MIB} MiB download by curl: equal SHA-256`, withCurl, async (t) => {
    const startedAt = performance.now()
    const cuts = cut(here, Math.floor((size * 0.9) / times), times)
    const got = await runHashed(here.curl('home', `/bytes?seed=cut&size=${size}`))
    t.same([got.code, got.bytes, got.sha256], [0, size, seededHash('cut', size)], got.stderr)
    t.ok((await cuts) >= times - 1, 'it was dialled again')
    const resumed = here.edge.events.filter(({ event }) => event === 'agent_resumed')
    t.ok(resumed.length >= times, `agent_resumed ${resumed.length} times`)
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    t.comment(`curl: ${size / MIB} MiB over ${resumed.length} cuts of the only carrier in ${seconds} s, equal SHA-256`)
  })

  t.test('in a 100 MiB upload by curl: equal SHA-256', withCurl, async (t) => {
    const cuts = cut(here, 30 * MIB)
    const { stdout, stderr } = await run(here.curl('home', '/hash?seed=cut', '--upload-file', '-'), {
      input: seededStream('cut', 100 * MIB),
    })
    await cuts
    t.match(JSON.parse(stdout || '{}'), { size: 100 * MIB, equal: true }, stderr)
  })

  t.test('under a TCP stream each way and a WebSocket', async (t) => {
    const size = 40 * MIB
    const cuts = cut(here, 20 * MIB)
    const down = await connect(bulkPort)
    down.write(`get both ${size}\n`)
    const up = await connect(bulkPort)
    up.write('put\n')
    seededStream('both', size).pipe(up)
    const socket = new WebSocket(`ws://${here.http}/`, { headers: { Host: here.host('home') } })
    const heard: Buffer[] = []
    socket.on('message', (data) => heard.push(data as Buffer))
    await once(socket, 'open')
    const said = [...seeded('ws', 2 * MIB)]
    for (const message of said) socket.send(message)
    const [bytes, answer] = await Promise.all([hashOf(down), read(up), cuts])
    t.equal(bytes, seededHash('both', size))
    t.equal(answer.toString(), `${size} ${seededHash('both', size)}`)
    while (heard.length < said.length) {
      // oxlint-disable-next-line no-await-in-loop -- until the last message is back
      await once(socket, 'message')
    }
    t.ok(Buffer.concat(heard).equals(Buffer.concat(said)))
    socket.terminate()
  })

  t.test('beside an idle stream, which goes on and keeps its half-close', async (t) => {
    const idle = await connect(tcpPort)
    idle.write('before')
    t.equal((await read(idle, 6)).toString(), 'before')
    for (const word of ['one', 'two']) {
      const after = here.edge.mark
      here.shim?.reset()
      // oxlint-disable-next-line no-await-in-loop -- one cut after the other
      await here.edge.until('agent_resumed', { after })
      idle.write(word)
      // oxlint-disable-next-line no-await-in-loop -- one cut after the other
      t.equal((await read(idle, word.length)).toString(), word)
    }
    idle.end('after')
    t.equal((await read(idle)).toString(), 'after')
  })
})

t.test('the carrier is forgotten silently in a download: it goes on by another', withCurl, async (t) => {
  const { here } = await published(t)
  let dropped = 0
  const got = await runHashed(here.curl('home', `/bytes?seed=drop&size=${60 * MIB}`), {
    onBytes: (total) => {
      if (dropped > 0 || total < 20 * MIB) return
      dropped = performance.now()
      here.shim?.drop()
    },
  })
  t.same([got.code, got.sha256], [0, seededHash('drop', 60 * MIB)], got.stderr)
  t.comment(`silent loss in a 60 MiB download: done ${Math.round(performance.now() - dropped)} ms after it`)
})

t.test('the path is gone for a while in a download: it goes on when it is back', withCurl, async (t) => {
  const { here } = await published(t)
  const awayMs = LONG ? 20_000 : 3000
  let backAt = 0
  let firstAfter = 0
  const got = await runHashed(here.curl('home', `/bytes?seed=away&size=${60 * MIB}`), {
    onBytes: (total) => {
      if (backAt > 0 && firstAfter === 0 && performance.now() > backAt) firstAfter = performance.now()
      if (backAt > 0 || total < 20 * MIB) return
      backAt = performance.now() + awayMs
      here.shim?.blackHole()
      setTimeout(() => {
        backAt = performance.now()
        here.shim?.restore()
      }, awayMs)
    },
  })
  t.same([got.code, got.sha256], [0, seededHash('away', 60 * MIB)], got.stderr)
  t.ok(firstAfter - backAt < 2000 * PATIENCE, 'flowing again soon')
  t.comment(`flowing again ${Math.round(firstAfter - backAt)} ms after the path was back (away ${awayMs} ms)`)
})

async function hashOf(socket: Awaited<ReturnType<typeof connect>>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of socket) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
