// Other reverse tunnels, measured where they are on PATH: as their own manuals set them up, encrypted.
import { writeFileSync } from 'node:fs'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from '../support/command.ts'
import type { Program } from '../support/program.ts'
import { findTool } from '../support/tools.ts'
import type { World } from '../support/world.ts'
import type { Hops } from './controls.ts'

/** What each of them is made of. */
export const RIVALS = { frp: ['frps', 'frpc'], rathole: ['rathole'], chisel: ['chisel'] } as const

export type Rival = keyof typeof RIVALS

/** What leads from a port of the server to one of the services. */
interface Forward {
  readonly open: number
  readonly to: number
}

/** Server and client of one of them, on the way to each of `ports`. */
export async function rivalHops(name: Rival, here: World, ports: readonly number[]): Promise<Hops[]> {
  const server = await freePort()
  const forwards = await Promise.all(ports.map(async (to) => ({ to, open: await freePort() })))
  const both = await { frp, rathole, chisel }[name](here, server, forwards)
  return forwards.map(({ open }) => ({ port: open, pids: both.map(({ pid }) => pid) }))
}

type Both = readonly [Program, Program]

async function frp(here: World, port: number, forwards: readonly Forward[]): Promise<Both> {
  const log = 'log.to = "console"\nlog.disablePrintColor = true\n'
  const proxies = forwards.map(({ open, to }, index) => {
    return `[[proxies]]\nname = "p${index}"\ntype = "tcp"\nlocalIP = "127.0.0.1"\nlocalPort = ${to}\nremotePort = ${open}\n`
  })
  const bind = `bindAddr = "127.0.0.1"\nproxyBindAddr = "127.0.0.1"\nbindPort = ${port}\n`
  const dial = `serverAddr = "127.0.0.1"\nserverPort = ${port}\n`
  const server = begin(here, 'frps', '-c', fileOf(here, 'frps.toml', `${bind}${log}`))
  await server.untilLogged(/frps started successfully/)
  const client = begin(here, 'frpc', '-c', fileOf(here, 'frpc.toml', `${dial}${log}${proxies.join('')}`))
  await client.untilLogged(/start proxy success/, { times: forwards.length })
  return [server, client]
}

async function rathole(here: World, port: number, forwards: readonly Forward[]): Promise<Both> {
  const { stdout, stderr } = await run([findTool('rathole') ?? 'rathole', '--genkey'])
  const [, secret, known] = /private key:\s*(\S+)\s+public key:\s*(\S+)/i.exec(stdout) ?? []
  if (secret === undefined || known === undefined) throw new Error(`rathole --genkey: ${stdout}${stderr}`)
  const text = (side: string, first: string, key: string, each: (forward: Forward) => string): string => {
    const services = forwards.map((forward, index) => `[${side}.services.p${index}]\n${each(forward)}\n`)
    const noise = `[${side}.transport]\ntype = "noise"\n[${side}.transport.noise]\n${key}\n`
    return `[${side}]\n${first}\ndefault_token = "bench"\n${noise}${services.join('')}`
  }
  const serverText = text(
    'server',
    `bind_addr = "127.0.0.1:${port}"`,
    `local_private_key = "${secret}"`,
    ({ open }) => {
      return `bind_addr = "127.0.0.1:${open}"`
    },
  )
  const clientText = text('client', `remote_addr = "127.0.0.1:${port}"`, `remote_public_key = "${known}"`, ({ to }) => {
    return `local_addr = "127.0.0.1:${to}"`
  })
  const server = begin(here, 'rathole', '--server', fileOf(here, 'rathole-server.toml', serverText))
  await server.untilLogged(/Listening at/)
  const client = begin(here, 'rathole', '--client', fileOf(here, 'rathole-client.toml', clientText))
  await client.untilLogged(/Control channel established/, { times: forwards.length })
  return [server, client]
}

async function chisel(here: World, port: number, forwards: readonly Forward[]): Promise<Both> {
  const server = begin(here, 'chisel', 'server', '--host', '127.0.0.1', '--port', `${port}`, '--reverse')
  await server.untilLogged(/Listening on/)
  const remotes = forwards.map(({ open, to }) => `R:127.0.0.1:${open}:127.0.0.1:${to}`)
  const client = begin(here, 'chisel', 'client', `http://127.0.0.1:${port}`, ...remotes)
  await server.untilLogged(/proxy#.*Listening/, { times: forwards.length })
  return [server, client]
}

function fileOf(here: World, name: string, text: string): string {
  const file = here.folder(name)
  writeFileSync(file, text)
  return file
}

/** Some log to stdout, where events are looked for. */
function begin(here: World, name: string, ...args: readonly string[]): Program {
  return here.start(name, ['sh', '-c', 'exec "$0" "$@" >&2', findTool(name) ?? name, ...args])
}
