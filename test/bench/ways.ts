import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findTool } from '../support/tools.ts'
import { World } from '../support/world.ts'
import { type Hops, haproxyHops, pipeHops, sshHops } from './controls.ts'
import { nginxHops, nginxTlsBefore, nginxTlsHops } from './nginx.ts'
import { endTrees } from './processes.ts'
import { RIVALS, rivalHops } from './rivals.ts'

/** What leads to the same service: where each kind of load enters, and whose CPU it costs. */
export interface Way {
  readonly name: WayName
  /** Of edge and agent, or of both hops, with everything that they start. */
  readonly pids: readonly number[]
  readonly bulk: number
  readonly echo: number
  readonly http: number
  /** Where visitors come over TLS, with HTTP/2 for who asks for it. */
  readonly https: number
  readonly udp: number
  /** What HTTP requests name. */
  readonly host: string
}

export type WayName = 'engawa' | 'engawa-plain' | 'pipe' | keyof typeof TOOLS

/** What the controls are made of. */
const TOOLS = {
  ssh: ['ssh', 'sshd', 'ssh-keygen'],
  haproxy: ['haproxy'],
  nginx: ['nginx'],
  'nginx-tls': ['nginx', 'openssl', 'h2load'],
  'nginx-ssh': ['nginx', 'openssl', 'h2load', 'ssh', 'sshd', 'ssh-keygen'],
  ...RIVALS,
} as const satisfies Record<string, readonly string[]>

/** Programs that a way needs and that are not installed. */
export function lackingFor(name: WayName): readonly string[] {
  const tools: readonly string[] = name in TOOLS ? TOOLS[name as keyof typeof TOOLS] : []
  return tools.filter((tool) => findTool(tool) === undefined)
}

interface Services {
  readonly bulk: number
  readonly echo: number
  readonly http: number
  readonly udp: number
}

/** One source makes all the load here. Everything else is as it comes. */
const CONFIG = `limits:
  perAddress: { connections: 16000, newPerSecond: 100000, burst: 100000 }
  udp: { flowsPerAddress: 4096 }
`
const NOWHERE = { bulk: 0, echo: 0, http: 0, https: 0, udp: 0, host: 'localhost' }

/** Starts each way once it is asked for; all of it ends with `close`. */
export class Ways {
  readonly #ways = new Map<WayName, Promise<Way>>()
  #world: Promise<World> | undefined
  #services: Promise<Services> | undefined
  readonly #worlds: Promise<World>[] = []

  get(name: WayName): Promise<Way> {
    const known = this.#ways.get(name) ?? this.#begin(name)
    this.#ways.set(name, known)
    return known
  }

  async close(): Promise<void> {
    const ways = await Promise.allSettled(this.#ways.values())
    // nginx and sshd work in children, which nobody else would end, and they hold what their parents have written to.
    endTrees(ways.flatMap((way) => (way.status === 'fulfilled' ? way.value.pids : [])))
    const worlds = await Promise.allSettled(this.#worlds)
    const standing = worlds.flatMap((world) => (world.status === 'fulfilled' ? [world.value] : []))
    await Promise.all(standing.map((world) => world.close()))
  }

  /** The services, and the controls before them, belong to the world of the default way. */
  async #main(): Promise<{ here: World; services: Services }> {
    this.#world ??= this.#open()
    const here = await this.#world
    this.#services ??= startServices(here)
    return { here, services: await this.#services }
  }

  #open(): Promise<World> {
    const config = join(tmpdir(), `engawa-bench-${process.pid}.yaml`)
    writeFileSync(config, CONFIG)
    const world = World.open({ edgeFlags: ['--config', config] })
    this.#worlds.push(world)
    return world
  }

  async #begin(name: WayName): Promise<Way> {
    const { here, services } = await this.#main()
    if (name === 'engawa') return engawa(here, services)
    if (name === 'engawa-plain') return plain(await this.#open(), services)
    const { bulk, echo, http, udp } = services
    if (name === 'nginx') return over(name, { http: await nginxHops(here, http) })
    if (name === 'nginx-tls') return over(name, { https: await nginxTlsHops(here, http) })
    if (name === 'nginx-ssh') {
      const { http: port, pids } = await this.get('ssh')
      return over(name, { https: await nginxTlsBefore(here, { port, pids }) })
    }
    if (name === 'haproxy') {
      return over(name, { bulk: await haproxyHops(here, bulk), echo: await haproxyHops(here, echo) })
    }
    const ports = [bulk, echo, http]
    const hops = await (name === 'pipe'
      ? pipeHops(here, ports, udp)
      : name === 'ssh'
        ? sshHops(here, ports)
        : rivalHops(name, here, ports))
    return over(name, { bulk: hops[0], echo: hops[1], http: hops[2], udp: hops[3] })
  }
}

type Entry = 'bulk' | 'echo' | 'http' | 'https' | 'udp'

function over(name: WayName, hops: Readonly<Partial<Record<Entry, Hops | undefined>>>): Way {
  const all = Object.entries(hops).flatMap(([entry, hop]) => (hop === undefined ? [] : [{ entry, hop }]))
  const ports = Object.fromEntries(all.map(({ entry, hop }) => [entry, hop.port]))
  return { ...NOWHERE, name, pids: [...new Set(all.flatMap(({ hop }) => hop.pids))], ...ports }
}

async function startServices(here: World): Promise<Services> {
  const program = here.start('services', [process.execPath, join(import.meta.dirname, 'service.ts')])
  const { bulk, echo, http, udp } = await program.until('ready')
  return { bulk: Number(bulk), echo: Number(echo), http: Number(http), udp: Number(udp) }
}

/** As people run it. */
async function engawa(here: World, services: Services): Promise<Way> {
  await here.join('home')
  const { agent, tunnels } = await here.publish('home', targetsOf(services))
  const [page, bulk, echo, udp] = tunnels
  return {
    name: 'engawa',
    pids: [here.edge.pid, agent.pid],
    bulk: bulk?.port ?? 0,
    echo: echo?.port ?? 0,
    http: Number(here.http.split(':')[1]),
    https: Number(here.https.split(':')[1]),
    udp: udp?.port ?? 0,
    host: here.host(page?.name ?? ''),
  }
}

/** Without TLS between the two. The agent joins first, as everyone does. */
async function plain(here: World, services: Services): Promise<Way> {
  await here.join('home')
  await here.edge.stop()
  const node = [process.execPath, '-C', 'engawa-source', join(import.meta.dirname, 'plain.ts')] as const
  const config = join(tmpdir(), `engawa-bench-${process.pid}.yaml`)
  const edge = here.start('plain edge', [...node, 'edge', here.edgeData, config])
  const { carrier, http } = await edge.until('ready')
  const targets = targetsOf(services)
  const port = String(carrier).split(':')[1] ?? ''
  const agent = here.start('plain agent', [...node, 'agent', here.agentData('home'), port, ...targets])
  const portOf = async (target: string): Promise<number> => {
    const event = await agent.until((said) => said.event === 'tunnel' && String(said['target']).endsWith(target))
    return Number(/:(\d+)$/.exec(String(event['public']))?.[1])
  }
  await portOf(`:${services.http}`)
  return {
    name: 'engawa-plain',
    pids: [edge.pid, agent.pid],
    bulk: await portOf(`:${services.bulk}`),
    echo: await portOf(`:${services.echo}`),
    http: Number(String(http).split(':')[1]),
    https: 0,
    udp: await portOf(`:${services.udp}`),
    host: 'home.localhost',
  }
}

/** In the order in which `engawa` takes its tunnels. */
function targetsOf({ http, bulk, echo, udp }: Services): string[] {
  return [`http://127.0.0.1:${http}`, `tcp://127.0.0.1:${bulk}`, `tcp://127.0.0.1:${echo}`, `udp://127.0.0.1:${udp}`]
}
