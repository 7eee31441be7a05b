import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { type Result, run } from './command.ts'
import { type Event, Program } from './program.ts'
import { Shim } from './shim.ts'

const FROM_SOURCE = [process.execPath, '-C', 'engawa-source'] as const
const SOURCES = {
  edge: join(import.meta.dirname, '../../packages/edge/src/main.ts'),
  agent: join(import.meta.dirname, '../../packages/agent/src/main.ts'),
}
/** What a run of all tests has built: these start in half the time. */
const BUILT = { edge: process.env['ENGAWA_BUILT_EDGE'], agent: process.env['ENGAWA_BUILT_AGENT'] }

function programCommand(program: 'edge' | 'agent'): [string, ...string[]] {
  const built = BUILT[program]
  return built === undefined ? [...FROM_SOURCE, SOURCES[program]] : [process.execPath, built]
}

export function edgeCommand(...args: readonly string[]): [string, ...string[]] {
  return [...programCommand('edge'), ...args]
}

/** All worlds of this run, to hold the other way to every test. */
const NODE_HTTP = process.env['ENGAWA_NODE_HTTP'] === '1'
const NODE_HTTP_EDGE = join(import.meta.dirname, 'node-http-edge.ts')

export function agentCommand(...args: readonly string[]): [string, ...string[]] {
  return [...programCommand('agent'), ...args]
}

/** Attempts to start on free ports: that one of three is taken meanwhile is rare, three times in a row is another fault. */
const START_TRIES = 3

export type Place = 'visitor' | 'edge' | 'agent' | 'service'

/** Networks of their own for a world's programs, instead of 127.0.0.1 for all. */
export interface Places {
  /** What goes before the command of a program there. */
  readonly enter: (place: Place) => readonly string[]
  /** Flags of `edge run`: where it listens, the same at each start, and what agents dial. */
  readonly edgeFlags: readonly string[]
  readonly serviceHost: string
}

export interface WorldOptions {
  /** The carriers' way leads through `world.shim`. The domain then is `tunnel.test`: every request needs its Host header. */
  shim?: boolean
  /** So many ways for the carriers, each through one of `world.shims`. */
  shims?: number
  domain?: string
  /** Further flags of `edge run`. */
  edgeFlags?: readonly string[]
  /** Further flags of Node for edge and agent, which then run from their sources: what such flags load meets the modules. */
  nodeFlags?: readonly string[]
  places?: Places
  /** HTTP/1.1 is read by Node's parser alone. */
  nodeHttp?: boolean
  /** Faults are what this test is about: else one that an edge has outlived fails the test. */
  survivesFaults?: boolean
}

export interface Services {
  readonly program: Program
  readonly http: number
  readonly echo: number
  readonly bulk: number
}

/** A tunnel as the agent's `tunnel` event tells of it. */
export interface Published {
  readonly name: string
  readonly protocol: string
  readonly public: string
  /** The port in `public`; NaN where it has none. */
  readonly port: number
  readonly target: string
}

/** One edge, its agents and their services, each a process of its own with a folder of its own. */
export class World {
  readonly domain: string
  readonly shims: readonly Shim[]
  readonly #folder = mkdtempSync(join(tmpdir(), 'engawa-world-'))
  readonly #programs: Program[] = []
  readonly #flags: readonly string[]
  readonly #nodeFlags: readonly string[]
  readonly #places: Places | undefined
  readonly #nodeHttp: boolean
  readonly #survivesFaults: boolean
  #edge: Program | undefined
  #ready: Event | undefined
  #services = 0
  readonly #abandon = (): void => {
    for (const { child } of this.#programs) child.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  private constructor(
    shims: readonly Shim[],
    { domain, edgeFlags = [], nodeFlags = [], places, nodeHttp = NODE_HTTP, survivesFaults = false }: WorldOptions,
  ) {
    this.#nodeHttp = nodeHttp
    this.#survivesFaults = survivesFaults
    this.shims = shims
    this.domain = domain ?? (shims.length > 0 || places ? 'tunnel.test' : 'localhost')
    this.#flags = edgeFlags
    this.#nodeFlags = nodeFlags
    this.#places = places
    process.once('exit', this.#abandon)
  }

  /** A world whose edge is ready. */
  static async open(options: WorldOptions = {}): Promise<World> {
    const { shims = options.shim ? 1 : 0 } = options
    const made = new World(await Promise.all(Array.from({ length: shims }, () => Shim.open())), options)
    try {
      await made.startEdge()
      return made
    } catch (error) {
      await made.close()
      throw error
    }
  }

  /** The first way of the carriers. */
  get shim(): Shim | undefined {
    return this.shims[0]
  }

  get edge(): Program {
    if (this.#edge === undefined) throw new Error('no edge was started')
    return this.#edge
  }

  get edgeData(): string {
    return join(this.#folder, 'edge')
  }

  /** Where visitors go: `HOST:PORT` of plain HTTP, HTTPS, and the admin API. */
  get http(): string {
    return this.#address('http')
  }
  get https(): string {
    return this.#address('https')
  }
  get carrier(): string {
    return this.#address('carrier')
  }
  get admin(): string {
    return this.#address('admin')
  }

  /** A folder of this world, gone with it. */
  folder(name: string): string {
    return join(this.#folder, name)
  }

  /** Starts the edge, at first on free ports and later, as after a crash, on the same ones. */
  async startEdge(): Promise<Event> {
    for (let tries = START_TRIES; ; tries--) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- the next try only after this one
        return await this.#startEdge()
      } catch (error) {
        // Another run of tests may have taken a port between the look at it and its use.
        const isTaken = /is taken by another program/.test(this.#edge?.report() ?? '')
        if (this.#ready !== undefined || !isTaken || tries === 1) throw error
      }
    }
  }

  async #startEdge(): Promise<Event> {
    const publicHost = this.shims.flatMap(({ port }) => ['--public-host', `127.0.0.1:${port}`])
    const listens = await this.#listens()
    const flags = ['--json', '--data', this.edgeData, '--domain', this.domain, ...listens, ...publicHost]
    const program = this.#command('edge', 'run', ...flags, ...this.#flags)
    const edge = this.startAt('edge', 'edge', program)
    this.#edge = edge
    this.#ready = await edge.until('ready')
    for (const shim of this.shims) shim.lead(this.carrier)
    return this.#ready
  }

  /** As `start`, in the network of `place`. */
  startAt(place: Place, name: string, command: readonly [string, ...string[]]): Program {
    return this.start(name, this.#enter(place, command))
  }

  /** Any further program, ended with this world. */
  start(name: string, command: readonly [string, ...string[]], env?: Readonly<Record<string, string>>): Program {
    const program = new Program({ name, command, ...(env && { env }) })
    this.#programs.push(program)
    return program
  }

  /** `edge …` on this edge's folder, to its end. */
  edgeDo(...args: readonly string[]): Promise<Result> {
    return run(edgeCommand(...args, '--data', this.edgeData))
  }

  /** `agent …` on the folder of the agent `who`, to its end. */
  agentDo(who: string, ...args: readonly string[]): Promise<Result> {
    return run(this.#enter('agent', agentCommand(...args, '--data', this.agentData(who))))
  }

  agentData(who: string): string {
    return this.folder(`agent-${who}`)
  }

  /** A fresh join line for `who`. */
  async invite(who: string, ...flags: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.edgeDo('invite', who, ...flags)
    const line = /engawa1:[\w-]+/.exec(stdout)?.[0]
    if (code !== 0 || line === undefined) throw new Error(`edge invite ${who}: exit ${code}\n${stdout}\n${stderr}`)
    return line
  }

  /** Invites and joins `who`. */
  async join(who: string, ...inviteFlags: readonly string[]): Promise<void> {
    const line = await this.invite(who, ...inviteFlags)
    const { code, stdout, stderr } = await this.agentDo(who, 'join', line)
    if (code !== 0) throw new Error(`agent join as ${who}: exit ${code}\n${stdout}\n${stderr}\n${this.edge.report()}`)
  }

  /** `agent expose …` for an agent that has joined; it runs on. */
  expose(who: string, ...args: readonly string[]): Program {
    const command = this.#command('agent', 'expose', ...args, '--json', '--data', this.agentData(who))
    return this.startAt('agent', `agent ${who}`, command)
  }

  /** As `expose`, once every target is published: the program and its tunnels in the targets' order. */
  async publish(
    who: string,
    targets: string | readonly string[],
    ...flags: readonly string[]
  ): Promise<{ agent: Program; tunnels: Published[]; tunnel: Published }> {
    const list = typeof targets === 'string' ? [targets] : targets
    const agent = this.expose(who, ...list, ...flags)
    const tunnels: Published[] = []
    for (let after = 0; tunnels.length < list.length; ) {
      // oxlint-disable-next-line no-await-in-loop -- events come one after the other
      const event = await agent.until((said) => said.event === 'tunnel' || said.event === 'refused', {
        after,
        witnesses: [this.edge],
      })
      after = agent.events.indexOf(event) + 1
      if (event.event === 'refused') throw new Error(`refused: ${JSON.stringify(event)}\n${this.edge.report()}`)
      tunnels.push(toPublished(event))
    }
    // Events come in the edge's order.
    tunnels.sort((a, b) => list.findIndex((target) => isFor(a, target)) - list.findIndex((target) => isFor(b, target)))
    const [tunnel] = tunnels
    if (tunnel === undefined) throw new Error('no target given')
    return { agent, tunnels, tunnel }
  }

  async services(label: string = `service-${++this.#services}`): Promise<Services> {
    const serve = join(import.meta.dirname, 'services/serve.ts')
    const host = this.#places?.serviceHost ?? '127.0.0.1'
    const program = this.startAt('service', label, [process.execPath, serve, label, host])
    const { http, echo, bulk } = await program.until('ready')
    return { program, http: Number(http), echo: Number(echo), bulk: Number(bulk) }
  }

  host(name: string): string {
    return `${name}.${this.domain}`
  }

  /** Arguments that make curl ask this edge for the tunnel `name`: quiet, with the error's text on stderr. */
  curl(name: string, path: string, ...flags: readonly string[]): ['curl', ...string[]] {
    const url = `http://${this.http}${path}`
    return ['curl', '--silent', '--show-error', '--noproxy', '*', '--header', `Host: ${this.host(name)}`, ...flags, url]
  }

  /** What every program said, for a failure's message. */
  report(): string {
    return this.#programs.map((program) => program.report()).join('\n')
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()))
    await Promise.all(this.shims.map((shim) => shim.close()))
    this.#abandon()
    process.removeListener('exit', this.#abandon)
    if (this.#survivesFaults) return
    const faults = this.#programs.flatMap((program) => program.faults)
    if (faults.length > 0) throw new Error(`the edge has met a fault of its own:\n${faults.join('\n')}`)
  }

  #command(program: 'edge' | 'agent', ...args: readonly string[]): [string, ...string[]] {
    const nodeHttp = program === 'edge' && this.#nodeHttp
    if (this.#nodeFlags.length === 0 && !nodeHttp) return [...programCommand(program), ...args]
    return [...FROM_SOURCE, ...this.#nodeFlags, nodeHttp ? NODE_HTTP_EDGE : SOURCES[program], ...args]
  }

  /** Not port 0: the same ones have to be free when the edge starts again. */
  async #listens(): Promise<readonly string[]> {
    if (this.#places) return this.#places.edgeFlags
    const free = this.#ready ? 0 : await freePort(3)
    const address = (name: string, at: number): string => (this.#ready ? this.#address(name) : `127.0.0.1:${free + at}`)
    // biome-ignore format: one flag a line would say less
    return ['--bind', '127.0.0.1', '--http', address('http', 0), '--https', address('https', 1), '--admin', address('admin', 2)]
  }

  #enter(place: Place, command: readonly [string, ...string[]]): [string, ...string[]] {
    return [...(this.#places?.enter(place) ?? []), ...command] as [string, ...string[]]
  }

  #address(name: string): string {
    return String(this.#ready?.[name])
  }
}

function toPublished(event: Event): Published {
  const { name, protocol, public: address, target } = event
  const port = Number(/:(\d+)$/.exec(String(address))?.[1])
  return { name: String(name), protocol: String(protocol), public: String(address), port, target: String(target) }
}

/** Tests give targets that end with their port. */
function isFor({ target }: Published, typed: string): boolean {
  return /\d+$/.exec(target)?.[0] === /\d+$/.exec(typed)?.[0]
}

interface Owner {
  teardown: (end: () => Promise<void>) => unknown
}

/** A world that ends with the test. */
export async function world(t: Owner, options: WorldOptions = {}): Promise<World> {
  const made = await World.open(options)
  t.teardown(() => made.close())
  return made
}
