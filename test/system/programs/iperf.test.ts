import t from 'tap'
import { freePort } from '../../../packages/edge/test/support/ports.ts'
import { run } from '../../support/command.ts'
import { StandIn } from '../../support/stand-in.ts'
import { LONG, without } from '../../support/tools.ts'
import { world } from '../../support/world.ts'

const SECONDS = LONG ? '10' : '1'

interface Report {
  readonly error?: string
  readonly end: {
    readonly sum_sent?: { readonly bytes: number; readonly bits_per_second: number }
    readonly sum_received?: { readonly bytes: number }
    readonly sum?: { readonly packets: number; readonly lost_packets: number; readonly lost_percent: number }
  }
}

t.test('iperf3: control by TCP, data by TCP and by UDP on the same number', { skip: without('iperf3') }, async (t) => {
  const here = await world(t)
  const port = await freePort()
  await here.join('home')
  const standIn = await StandIn.open(port, true)
  const tcp = await here.publish('home', `tcp://${port}`, '--name', 'iperf')
  const udp = await here.publish('home', `udp://${port}`, '--name', 'iperf-udp', '--port', `${tcp.tunnel.port}`)
  t.equal(udp.tunnel.port, tcp.tunnel.port)
  await standIn.leave(tcp.agent, tcp.tunnel.port)
  // It says on stdout that it listens, before each test: until then it is busy, even if the client of the last one has left.
  const command = `exec iperf3 -s -B 127.0.0.1 -p ${port} --forceflush >&2`
  const server = here.start('iperf3', ['sh', '-c', command])
  let tests = 0
  const test = async (...args: string[]): Promise<Report> => {
    await server.untilLogged(/Server listening/, { times: ++tests })
    const command = ['iperf3', '-c', '127.0.0.1', '-p', `${tcp.tunnel.port}`, '-t', SECONDS, '--json', ...args] as const
    const { stdout, stderr } = await run(['iperf3', ...command.slice(1)])
    try {
      return JSON.parse(stdout) as Report
    } catch {
      throw new Error(`${stdout}\n${stderr}\n${server.report()}`)
    }
  }

  for (const [says, args] of [
    ['TCP', []],
    ['TCP, from home', ['-R']],
    ['TCP, four streams', ['-P', '4']],
  ] as const) {
    t.test(says, async (t) => {
      const { error, end } = await test(...args)
      t.equal(error, undefined)
      t.ok((end.sum_received?.bytes ?? 0) > 0)
      t.comment(`${says}: ${Math.round((end.sum_sent?.bits_per_second ?? 0) / 1e6)} Mbit/s`)
    })
  }

  for (const [says, args] of [
    ['UDP, 8 Mbit/s', []],
    ['UDP, from home', ['-R']],
  ] as const) {
    t.test(says, async (t) => {
      const { error, end } = await test('-u', '-b', '8M', '-l', '1200', ...args)
      t.equal(error, undefined)
      t.ok((end.sum?.packets ?? 0) > 0)
      t.comment(`${says}: ${end.sum?.lost_packets} of ${end.sum?.packets} lost`)
    })
  }
})
