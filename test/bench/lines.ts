// `npm run bench:lines`: one stream over long lines, and an echo beside it, against `ssh -R` over the same line.
import net from 'node:net'
import { join } from 'node:path'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { commandLine } from '../../scripts/command-line.ts'
import type { Order } from '../lab/line.ts'
import { startSshd } from '../support/sshd.ts'
import { World } from '../support/world.ts'
import { bulk, echoes } from './load.ts'

const MBIT = 125
const RATE_BYTES = 2 ** 40
/** The figure of the third second counts: the line is to be full by then. */
const SECONDS = 4
const COUNTED = 3
const BULK_BYTES = 200e6
const ROUNDS = 3
const HOST = '127.0.0.1'

interface Ways {
  readonly bulk: number
  readonly echo: number
}

interface Pair {
  readonly engawa: Ways
  readonly ssh: Ways
  readonly close: () => Promise<void>
}

/** Both on one line of their own: `rttMs` there and back, `mbit` each way. */
async function pair({ rttMs, mbit }: { rttMs: number; mbit: number }): Promise<Pair> {
  const carrier = await freePort()
  const lay = async (here: World, port: number, listen = 0): Promise<number> => {
    const to = { host: HOST, port }
    const listens = { host: HOST, port: listen }
    const order: Order = { listen: listens, v4: to, v6: to, delayMs: rttMs / 2, rate: mbit * MBIT }
    const file = join(import.meta.dirname, '../lab/line.ts')
    const line = here.start('line', [process.execPath, '-C', 'engawa-source', file, JSON.stringify(order)])
    return Number((await line.until('ready'))['port'])
  }
  const far = await freePort()
  const flags = ['--carrier', `${HOST}:${carrier}`, '--public-host', `${HOST}:${far}`]
  const here = await World.open({ edgeFlags: flags })
  await lay(here, carrier, far)
  const services = here.start('services', [process.execPath, join(import.meta.dirname, 'service.ts')])
  const { bulk: bulkPort, echo: echoPort } = await services.until('ready')
  const ports = [Number(bulkPort), Number(echoPort)]
  await here.join('home')
  const targets = ports.map((port) => `tcp://${HOST}:${port}`)
  const { tunnels } = await here.publish('home', targets)
  const { port, client } = await startSshd(here)
  const open = await Promise.all(ports.map(() => freePort()))
  const forwards = ports.flatMap((to, index) => ['-R', `${HOST}:${open[index]}:${HOST}:${to}`])
  const settings = ['-o', 'Ciphers=aes128-gcm@openssh.com', '-o', 'Compression=no', '-o', 'ExitOnForwardFailure=yes']
  const ssh = here.start('ssh', client(await lay(here, port), ...settings, '-v', '-N', ...forwards))
  await Promise.all(
    open.map((to) => ssh.untilLogged(new RegExp(`remote forward success for: listen ${HOST}:${to}\\b`))),
  )
  return {
    engawa: { bulk: tunnels[0]?.port ?? 0, echo: tunnels[1]?.port ?? 0 },
    ssh: { bulk: open[0] ?? 0, echo: open[1] ?? 0 },
    close: () => here.close(),
  }
}

/** Mbit/s of one stream in each second. */
async function speeds(port: number): Promise<number[]> {
  const each = Array.from({ length: SECONDS }, () => 0)
  const buffer = Buffer.allocUnsafe(256 * 1024)
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const socket = net.connect({
      port,
      host: HOST,
      onread: {
        buffer,
        callback: (count) => {
          const second = Math.floor((performance.now() - startedAt) / 1000)
          if (second < SECONDS) each[second] = (each[second] ?? 0) + (count * 8) / 1e6
          else socket.destroy()
          return true
        },
      },
    })
    socket.on('connect', () => socket.write(`get ${RATE_BYTES}\n`))
    socket.on('error', reject)
    socket.on('close', () => resolve(each))
  })
}

async function echoBeside(way: Ways): Promise<number> {
  let isOver = false
  const beside = bulk(way.bulk, BULK_BYTES).finally(() => {
    isOver = true
  })
  const took = await echoes(way.echo, () => isOver)
  await beside
  return median(took)
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

commandLine({})
const far = await pair({ rttMs: 40, mbit: 200 })
for (let round = 0; round < ROUNDS; round++) {
  for (const name of ['engawa', 'ssh'] as const) {
    // oxlint-disable-next-line no-await-in-loop -- they take turns
    const each = await speeds(far[name].bulk)
    const share = (each[COUNTED - 1] ?? 0) / 200
    console.log(
      `200 Mbit/s, 40 ms, one stream, ${name}: ${each.map(Math.round).join(' ')} Mbit/s, third second ${share.toFixed(2)}`,
    )
  }
}
await far.close()

const fast = await pair({ rttMs: 20, mbit: 400 })
const ratios: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  // oxlint-disable-next-line no-await-in-loop -- they take turns
  const [own, ssh] = [await echoBeside(fast.engawa), await echoBeside(fast.ssh)]
  ratios.push(own / ssh)
  console.log(`400 Mbit/s, 20 ms, echo beside a bulk transfer: ${own.toFixed(1)} ms p50, ssh -R ${ssh.toFixed(1)} ms`)
}
await fast.close()
console.log(`  to ssh -R: ${median(ratios).toFixed(2)}, wanted at most 0.7`)
