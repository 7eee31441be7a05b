/** How a flag is given: once with a value, several times, or alone. */
export type FlagKind = 'value' | 'values' | 'alone'

/** What stands for a flag's value in the help. */
export interface FlagShape {
  readonly kind: FlagKind
  readonly hint?: string
}

export const FLAGS = {
  data: { kind: 'value', hint: 'DIR' },
  config: { kind: 'value', hint: 'FILE' },
  json: { kind: 'alone' },
  'log-level': { kind: 'value', hint: 'LEVEL' },
  lang: { kind: 'value', hint: 'en|ja' },
  help: { kind: 'alone' },
  version: { kind: 'alone' },
  domain: { kind: 'value', hint: 'NAME' },
  http: { kind: 'value', hint: 'ADDR' },
  https: { kind: 'value', hint: 'ADDR|off' },
  carrier: { kind: 'value', hint: 'ADDR' },
  'public-host': { kind: 'values', hint: 'HOST[:PORT]' },
  admin: { kind: 'value', hint: 'ADDR|off' },
  'tcp-ports': { kind: 'values', hint: 'RANGES' },
  'udp-ports': { kind: 'values', hint: 'RANGES' },
  bind: { kind: 'value', hint: 'HOST' },
  grace: { kind: 'value', hint: 'TIME' },
  drain: { kind: 'value', hint: 'TIME' },
  expires: { kind: 'value', hint: 'TIME' },
  names: { kind: 'values', hint: 'PATTERNS' },
  ports: { kind: 'values', hint: 'RANGES' },
  hosts: { kind: 'values', hint: 'FQDNS' },
  address: { kind: 'values', hint: 'IP' },
  resolver: { kind: 'value', hint: 'ADDR' },
} as const satisfies Record<string, FlagShape>

export type Flag = keyof typeof FLAGS

export type Flags = {
  readonly [F in Flag]?: (typeof FLAGS)[F]['kind'] extends 'values'
    ? readonly string[]
    : (typeof FLAGS)[F]['kind'] extends 'alone'
      ? boolean
      : string
}

export const FLAGS_EVERYWHERE: readonly Flag[] = ['data', 'config', 'json', 'log-level', 'lang', 'help', 'version']

export const RUN_FLAGS = [
  'domain',
  'http',
  'https',
  'carrier',
  'public-host',
  'admin',
  'tcp-ports',
  'udp-ports',
  'bind',
  'grace',
  'drain',
] as const satisfies readonly Flag[]

export interface CommandShape {
  /** Words that must follow, as the help names them. */
  readonly wants: readonly string[]
  readonly flags: readonly Flag[]
}

/** By what is typed: a second word of a command is part of its key. */
export const COMMANDS = {
  run: { wants: [], flags: RUN_FLAGS },
  invite: { wants: ['NAME'], flags: ['expires', 'names', 'ports', 'hosts'] },
  agents: { wants: [], flags: [] },
  'agents revoke': { wants: ['NAME'], flags: [] },
  'agents rename': { wants: ['OLD', 'NEW'], flags: [] },
  tunnels: { wants: [], flags: [] },
  status: { wants: [], flags: [] },
  check: { wants: [], flags: RUN_FLAGS },
  ca: { wants: [], flags: [] },
  dns: { wants: [], flags: ['address', 'resolver'] },
  backup: { wants: ['FILE'], flags: [] },
  restore: { wants: ['FILE'], flags: [] },
} as const satisfies Record<string, CommandShape>

export type Command = keyof typeof COMMANDS
