/** For whom a unit is: the whole machine with a user of its own, or the one who is logged in. */
export type Scope = 'system' | 'user'

export interface UnitOptions {
  readonly scope: Scope
  /** The program and what makes it run this agent, without `up`. */
  readonly command: readonly string[]
  readonly folder: string
  /** This systemd knows growing pauses between starts (254 and newer). The package has them in a file beside the unit. */
  readonly growing?: boolean
}

/** What a service manager need not try again: a wrong line or file, not joined, refused for good. contract.md, "Exit codes" */
const HOPELESS = '2 3'

const OWN_USER = `User=engawa-agent
Group=engawa-agent
StateDirectory=engawa/agent
StateDirectoryMode=0700
`

const GROWING = `RestartSteps=8
RestartMaxDelaySec=60s
`

/** Rights that only the machine's own manager can take away. */
const SYSTEM_ONLY = `# It only dials out: no right of the machine's is left.
CapabilityBoundingSet=
ProtectSystem=strict
# Folders that it publishes may lie there; what its user may not read it cannot.
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
PrivateIPC=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RemoveIPC=yes
KeyringMode=private
`

/** The systemd unit of an agent that is always there. `deploy/engawa-agent.service` is the one for the system. */
export function unitText({ scope, command, folder, growing = false }: UnitOptions): string {
  const system = scope === 'system'
  const program = command.map(quoted).join(' ')
  const config = `${folder}/identity.json`
  return `# The agent as a service, as \`engawa-agent service install\` writes it.

[Unit]
Description=Engawa agent: publishes services of this network through an edge
Documentation=man:engawa-agent(1)
${system ? 'Wants=network-online.target\nAfter=network-online.target\n' : ''}# Until it has joined there is nothing to start: engawa-agent join
ConditionPathExists=${escaped(config)}
# The line may be away for long: it goes on trying.
StartLimitIntervalSec=0

[Service]
# Ready when it has begun to dial; systemd-notify says it.
Type=notify
NotifyAccess=all
ExecStart=${program} up --data ${quoted(folder)}
ExecReload=/bin/kill -HUP $MAINPID
${system ? OWN_USER : ''}UMask=0077

Restart=always
RestartSec=2s
${growing ? GROWING : ''}# Nothing changes by itself: a wrong file, not joined, revoked.
RestartPreventExitStatus=${HOPELESS}
# A process whose event loop stands still is ended and started again.
WatchdogSec=60s
TimeoutStartSec=90s
# \`up\` itself waits 30 s for open connections; for a longer --drain it asks for more.
TimeoutStopSec=45s
KillMode=mixed
LimitNOFILE=65536

${system ? SYSTEM_ONLY : ''}NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
# Not MemoryDenyWriteExecute: the JIT compiler writes code.

[Install]
WantedBy=${system ? 'multi-user.target' : 'default.target'}
`
}

/** One word of a command line. systemd.service(5), "Command lines" */
function quoted(word: string): string {
  const safe = escaped(word).replaceAll('$', '$$$$')
  return /[\s"'\\;]/.test(safe) ? `"${safe.replaceAll(/["\\]/g, '\\$&')}"` : safe
}

/** `%` begins a specifier everywhere in a unit. */
function escaped(text: string): string {
  return text.replaceAll('%', '%%')
}
