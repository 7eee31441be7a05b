import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { findTool, without } from '../support/tools.ts'

/** Of one machine; a family that is missing has no route either. */
export interface Addresses {
  readonly v4?: string
  readonly v6?: string
}

/** Where the agent lives at first. */
export const HOME = { v4: '192.168.1.20', v6: '2001:db8:3::20' } as const

/** From left to right, each wired to the next. A network namespace each: nothing here can reach the machine's own network. */
const ROOMS = ['visitor', 'edge', 'cgnat', 'router', 'agent', 'service'] as const
export type Room = (typeof ROOMS)[number]

/** The wire to the right of each room: both ends' addresses. In each room `right` and `left` are its interfaces. */
const WIRES = [
  { v4: ['198.51.100.2', '198.51.100.1'], v6: ['2001:db8:0::2', '2001:db8:0::1'] },
  { v4: ['203.0.113.1', '203.0.113.2'], v6: ['2001:db8:1::1', '2001:db8:1::2'] },
  { v4: ['100.64.0.1', '100.64.0.2'], v6: ['2001:db8:2::1', '2001:db8:2::2'] },
  { v4: ['192.168.1.1', HOME.v4], v6: ['2001:db8:3::1', HOME.v6] },
  { v4: ['172.16.0.1', '172.16.0.2'], v6: ['2001:db8:4::1', '2001:db8:4::2'] },
] as const

export const EDGE = { v4: '203.0.113.1', v6: '[2001:db8:1::1]', forVisitors: '198.51.100.1' } as const
export const SERVICE = '172.16.0.2'

/** IPv4 leaves home through two translators, IPv6 as it is. Right to left, each room knows only its upstream. */
const ROUTES: readonly (readonly [Room, string])[] = [
  ['edge', '-6 route add 2001:db8:2::/47 via 2001:db8:1::2'],
  ['cgnat', '-6 route add 2001:db8:3::/64 via 2001:db8:2::2'],
  ['cgnat', 'route add default via 203.0.113.1'],
  ['cgnat', '-6 route add default via 2001:db8:1::1'],
  ['router', 'route add default via 100.64.0.1'],
  ['router', '-6 route add default via 2001:db8:2::1'],
]
const AGENT_UPSTREAM = { v4: '192.168.1.1', v6: '2001:db8:3::1' } as const

/** Looking for twins of its addresses keeps an IPv6 interface busy for two seconds; there are none here. */
const SETTINGS = {
  'ipv4/ip_forward': 1,
  'ipv6/conf/all/forwarding': 1,
  'ipv6/conf/default/accept_dad': 0,
  'netfilter/nf_conntrack_acct': 1,
}

const PREFIX = 'engawa-lab-'
const NAT = `table ip nat {
  chain out {
    type nat hook postrouting priority 100
    oifname "left" masquerade random
  }
}`
/**
 * What the carrier-grade NAT does wrong is written into `faults`. A connection with mark 1 is answered by RST, both ways;
 * packets that belong to no connection it knows vanish, as they do in the world.
 */
const FAULTS = `table inet lab {
  chain faults {
    type filter hook forward priority 0
  }
  chain marked {
    type filter hook forward priority 1
    ct mark 1 meta l4proto tcp reject with tcp reset
  }
  chain strangers {
    type filter hook input priority 0
    meta l4proto tcp drop
  }
}`

/** For a test's options: why there can be no lab here, or false. Tools can be installed anywhere, rights cannot. */
export function withoutLab(...more: readonly string[]): string | false {
  const missing = without('ip', 'tc', 'nft', 'conntrack', ...more)
  if (missing !== false) return missing
  const trial = `${PREFIX}${process.pid}-trial`
  if (spawnSync('ip', ['netns', 'add', trial]).status !== 0) return 'needs root, and leave to make network namespaces'
  spawnSync('ip', ['netns', 'del', trial])
  return false
}

/** visitor – edge – carrier-grade NAT – home router – agent – service: real networks on one machine. */
export class Network {
  static #made = 0
  readonly #prefix = `${PREFIX}${process.pid}-${Network.#made++}-`
  readonly #remove = (): void => {
    for (const room of ROOMS) spawnSync('ip', ['netns', 'del', this.name(room)])
  }

  constructor() {
    removeLeftOver()
    process.once('exit', this.#remove)
    for (const room of ROOMS) this.#build(room)
    for (const [index, { v4, v6 }] of WIRES.entries()) {
      const [left, right] = [ROOMS[index], ROOMS[index + 1]] as [Room, Room]
      run('ip', `link add right netns ${this.name(left)} type veth peer name left netns ${this.name(right)}`)
      this.#wire(left, 'right', v4[0], v6[0])
      this.#wire(right, 'left', v4[1], v6[1])
    }
    for (const [room, route] of ROUTES) this.ip(room, route)
    this.#leave('v4', 'v6')
    for (const room of ['cgnat', 'router'] as const) this.nft(room, NAT)
    this.nft('cgnat', FAULTS)
  }

  name(room: Room): string {
    return this.#prefix + room
  }

  /** What goes before a command to run it there. */
  enter(room: Room): readonly string[] {
    return [findTool('ip') ?? 'ip', 'netns', 'exec', this.name(room)]
  }

  ip(room: Room, command: string): void {
    run('ip', `-n ${this.name(room)} ${command}`)
  }

  /** Runs an nft script there, all of it or nothing. */
  nft(room: Room, script: string): void {
    this.exec(room, ['nft', '-f', '-'], script)
  }

  exec(room: Room, command: readonly string[], input = ''): string {
    const [file = '', ...args] = [...this.enter(room), ...command]
    return execFileSync(file, args, { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'] })
  }

  /** Gives the agent these addresses and takes all others away; what has no address has no route either. */
  moveAgent(addresses: Addresses): void {
    for (const family of ['4', '6']) this.ip('agent', `-${family} route flush default`)
    this.ip('agent', 'addr flush dev left scope global')
    if (addresses.v4 !== undefined) this.ip('agent', `addr add ${addresses.v4}/24 dev left`)
    if (addresses.v6 !== undefined) this.ip('agent', `addr add ${addresses.v6}/64 dev left nodad`)
    this.#leave(...(Object.keys(addresses) as ('v4' | 'v6')[]))
  }

  /** What comes from home for port `from` of anyone is led to port `to` of the home router itself, from now on. */
  divert(from: number, to: number): void {
    const rule = `iifname "right" tcp dport ${from} redirect to :${to}`
    this.nft('router', `table inet divert {\n chain in {\n type nat hook prerouting priority -100\n ${rule}\n}\n}`)
  }

  /** As much at once as the kernel likes, instead of packets of the wire's size: for figures of speed. */
  allowGiants(): void {
    for (const [index, room] of ROOMS.entries()) {
      if (index > 0) this.ip(room, 'link set left gso_max_segs 65535')
      if (index < ROOMS.length - 1) this.ip(room, 'link set right gso_max_segs 65535')
    }
  }

  /** Ends with whatever still runs in it unreachable. */
  close(): void {
    this.#remove()
    process.removeListener('exit', this.#remove)
  }

  #build(room: Room): void {
    run('ip', `netns add ${this.name(room)}`)
    this.ip(room, 'link set lo up')
    const lines = Object.entries(SETTINGS).map(([setting, value]) => `echo ${value} > /proc/sys/net/${setting}`)
    this.exec(room, ['sh', '-ec', lines.join('\n')])
  }

  /** Packets of the wire's size, not the kernel's giants: loss, bandwidth and byte offsets then mean what they say. */
  #wire(room: Room, side: 'left' | 'right', v4: string, v6: string): void {
    this.ip(room, `addr add ${v4}/24 dev ${side}`)
    this.ip(room, `addr add ${v6}/64 dev ${side} nodad`)
    this.ip(room, `link set ${side} gso_max_segs 1 up`)
  }

  #leave(...families: readonly ('v4' | 'v6')[]): void {
    for (const family of families) {
      this.ip('agent', `-${family.slice(1)} route replace default via ${AGENT_UPSTREAM[family]}`)
    }
  }
}

function run(file: string, line: string): void {
  execFileSync(file, line.split(' '), { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** A lab whose process was killed could not clean up: its rooms say whose they were. */
function removeLeftOver(): void {
  if (!existsSync('/run/netns')) return
  for (const name of readdirSync('/run/netns')) {
    const pid = name.startsWith(PREFIX) ? name.slice(PREFIX.length).split('-')[0] : undefined
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) spawnSync('ip', ['netns', 'del', name])
  }
}
