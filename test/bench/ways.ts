import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { World } from '../support/world.ts'
import { type Hops, haproxyHops, nginxHops, pipeHops, sshHops } from './controls.ts'
import { endTrees } from './processes.ts'

/** What leads to the same service: where each kind of load enters, and whose CPU it costs. */
export interface Way {
  readonly name: WayName
  /** Of edge and agent, or of both hops, with everything that they start. */
  readonly pids: readonly number[]
  readonly bulk: number
  readonly echo: number
  readonly http: number
  readonly udp: number
  /** What HTTP requests name. */
  readonly host: string
}

export type WayName = 'engawa' | 'engawa-plain' | 'pipe' | 'ssh' | 'haproxy' | 'nginx'

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
const NOWHERE = { bulk: 0, echo: 0, http: 0, udp: 0, host: 'localhost' }

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
    const { bulk, echo, http, udp } = services
    const over = (hops: readonly Hops[], entries: Partial<Way>): Way => {
      return { ...NOWHERE, name, pids: [...new Set(hops.flatMap(({ pids }) => pids))], ...entries }
    }
    switch (name) {
      case 'engawa':
        return engawa(here, services)
      case 'engawa-plain':
        return plain(await this.#open(), services)
      case 'ssh':
      case 'pipe': {
        const ports = [bulk, echo, http]
        const hops = await (name === 'ssh' ? sshHops(here, ports) : pipeHops(here, ports, udp))
        const [bulkHop, echoHop, httpHop, udpHop] = hops
        return over(hops, {
          bulk: bulkHop?.port ?? 0,
          echo: echoHop?.port ?? 0,
          http: httpHop?.port ?? 0,
          udp: udpHop?.port ?? 0,
        })
      }
      case 'haproxy': {
        const hops = [await haproxyHops(here, bulk), await haproxyHops(here, echo)] as const
        return over(hops, { bulk: hops[0].port, echo: hops[1].port })
      }
      default: {
        const hops = await nginxHops(here, http)
        return over([hops], { http: hops.port })
      }
    }
  }
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
    udp: await portOf(`:${services.udp}`),
    host: 'home.localhost',
  }
}

/** In the order in which `engawa` takes its tunnels. */
function targetsOf({ http, bulk, echo, udp }: Services): string[] {
  return [`http://127.0.0.1:${http}`, `tcp://127.0.0.1:${bulk}`, `tcp://127.0.0.1:${echo}`, `udp://127.0.0.1:${udp}`]
}
