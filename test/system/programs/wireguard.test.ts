import { existsSync, rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { freePort } from '../../../packages/edge/test/support/ports.ts'
import { withoutLab } from '../../lab/network.ts'
import { run } from '../../support/command.ts'
import { findTool } from '../../support/tools.ts'
import { type World, world } from '../../support/world.ts'

interface Owner {
  teardown: (end: () => unknown) => unknown
}

/** One end of the VPN: its network is a namespace of its own, its datagrams leave where the program runs. */
interface End {
  readonly device: string
  readonly space: string
  readonly key: string
  readonly publicKey: string
}

const skip = withoutLab('wireguard-go', 'wg', 'ping') || (!existsSync('/dev/net/tun') && 'needs /dev/net/tun')
/** Each step has its own deadline, so that a failure says which one it was. */
const STEP_MS = 60_000

async function must(line: string, input?: string): Promise<string> {
  const [file = '', ...args] = line.split(' ')
  const { code, stdout, stderr } = await run([findTool(file) ?? file, ...args], {
    ...(input !== undefined && { input }),
    deadlineMs: STEP_MS,
  })
  if (code !== 0) throw new Error(`${line}: ${code ?? `nothing for ${STEP_MS} ms`} ${stderr}`)
  return stdout.trim()
}

async function end(t: Owner, here: World, name: string): Promise<End> {
  const device = `ewg${process.pid}${name}`
  const space = `engawa-wg-${process.pid}-${name}`
  await must(`ip netns add ${space}`)
  t.teardown(() => run(['ip', 'netns', 'del', space]))
  // Killed with its world, it leaves its socket behind.
  t.teardown(() => rmSync(`/var/run/wireguard/${device}.sock`, { force: true }))
  await start(here, device)
  const secret = await must('wg genkey')
  const key = here.folder(`${name}.key`)
  writeFileSync(key, secret, { mode: 0o600 })
  return { device, space, key, publicKey: await must('wg pubkey', secret) }
}

/**
 * Starts a wireguard-go and waits for its own word that it can be spoken to. It must not be asked before: between its
 * bind and its listen `wg` is refused, takes the socket for a dead program's and removes it, which ends wireguard-go.
 */
async function start(here: World, device: string): Promise<void> {
  const env = { LOG_LEVEL: 'verbose' }
  // It logs to stdout.
  const command = `exec ${findTool('wireguard-go') ?? 'wireguard-go'} -f ${device} >&2`
  const program = here.start(`wireguard ${device}`, ['sh', '-c', command], env)
  await program.untilLogged(/UAPI listener started/, { deadlineMs: STEP_MS })
}

async function raise({ device, space }: End, address: string): Promise<void> {
  await must(`ip link set ${device} netns ${space}`)
  await must(`ip -n ${space} addr add ${address} dev ${device}`)
  await must(`ip -n ${space} link set ${device} up`)
}

t.test('WireGuard over a UDP tunnel', { skip }, async (t) => {
  const here = await world(t, { shim: true })
  const [visitor, home] = await Promise.all([end(t, here, 'v'), end(t, here, 'h')])
  const port = await freePort()
  const homePeer = `peer ${visitor.publicKey} allowed-ips 10.99.0.1/32`
  await must(`wg set ${home.device} listen-port ${port} private-key ${home.key} ${homePeer}`)
  await raise(home, '10.99.0.2/24')
  await here.join('home')
  const { tunnel } = await here.publish('home', `udp://${port}`)
  const peer = `peer ${home.publicKey} allowed-ips 10.99.0.2/32 endpoint 127.0.0.1:${tunnel.port}`
  await must(`wg set ${visitor.device} private-key ${visitor.key} ${peer}`)
  await raise(visitor, '10.99.0.1/24')
  const ping = (count: number): ReturnType<typeof run> =>
    run(['ip', 'netns', 'exec', visitor.space, 'ping', '-c', String(count), '-i', '0.2', '-W', '10', '10.99.0.2'], {
      deadlineMs: STEP_MS,
    })
  // The first one waits for the handshake; should its first datagram be lost, WireGuard says it again after 5 s.
  const first = await ping(1)
  t.equal(first.code, 0, `${first.stdout}\n${first.stderr}`)
  const more = await ping(10)
  t.match(more.stdout, / (?:[89]|10) received/)
  t.match(await must(`wg show ${home.device} latest-handshakes`), /\t[1-9]\d+$/)
  const after = here.edge.mark
  here.shim?.reset()
  await here.edge.until('agent_resumed', { after })
  t.match((await ping(5)).stdout, / [3-5] received/, 'the same flow goes on over another carrier')
})
