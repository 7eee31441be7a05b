import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { ownCommand } from '@engawa/shared/called'
import { shownName } from '@engawa/shared/names'
import { complaint } from '../complaint.ts'
import { needIdentity } from '../identity.ts'
import { settleAccount } from '../service/account.ts'
import { Systemd } from '../service/systemd.ts'
import { type Scope, unitText } from '../service/unit.ts'
import type { Context } from './context.ts'

const UNIT = 'engawa-agent.service'
/** Growing pauses between starts came with it. */
const GROWING_SINCE = 254
/** Where a package put the unit, if one did. */
const PACKAGED = ['/usr/lib/systemd/system', '/lib/systemd/system']
const PACKAGED_FOLDER = '/var/lib/engawa/agent'

const ACTIONS: Readonly<Record<string, (context: Context, scope: Scope) => number>> = { install, uninstall, status }

/** `agent service install|uninstall|status`: root's is the machine's, anybody else's is their own. */
export async function service(context: Context): Promise<number> {
  const { rest } = context.line
  const action = ACTIONS[rest[0] ?? '']
  if (action === undefined || rest.length > 1) {
    throw complaint('FLAG_INVALID', (words) => words.serviceAction(rest.join(' '), Object.keys(ACTIONS).join(', ')))
  }
  return action(context, process.getuid?.() === 0 ? 'system' : 'user')
}

function install({ line, folder, say, sayJson }: Context, scope: Scope): number {
  const { agent } = needIdentity(folder)
  const systemd = new Systemd(scope)
  // The package's unit serves the package's folder; another one gets a unit of its own, which wins over that.
  const packaged =
    scope === 'system' && folder === PACKAGED_FOLDER && PACKAGED.some((place) => existsSync(join(place, UNIT)))
  if (scope === 'system') settleAccount(folder)
  const file = fileOf(scope)
  if (!packaged) {
    mkdirSync(dirname(file), { recursive: true })
    const growing = systemd.version >= GROWING_SINCE
    writeFileSync(file, unitText({ scope, command: ownCommand(), folder, growing }))
    systemd.do('daemon-reload')
  }
  // Apart from each other: where systemd does not run, in the making of an image, it passes over the second.
  systemd.do('enable', UNIT)
  systemd.do('restart', UNIT)
  say(line.words.serviceInstalled(shownName(agent), packaged ? UNIT : file))
  if (scope === 'user') say(line.words.serviceLinger)
  sayJson({ event: 'service_installed', agent, scope, unit: UNIT })
  return 0
}

function uninstall({ line, say, sayJson }: Context, scope: Scope): number {
  const systemd = new Systemd(scope)
  systemd.do('stop', UNIT)
  systemd.do('disable', UNIT)
  rmSync(fileOf(scope), { force: true })
  systemd.do('daemon-reload')
  say(line.words.serviceUninstalled)
  sayJson({ event: 'service_uninstalled', scope, unit: UNIT })
  return 0
}

/** 0 only if it runs. */
function status({ line, say, sayJson }: Context, scope: Scope): number {
  const found = new Systemd(scope).show(UNIT, 'LoadState', 'ActiveState', 'UnitFileState', 'MainPID', 'StatusText')
  const active = found['ActiveState'] === 'active'
  const pid = Number(found['MainPID'] ?? 0)
  const installed = found['LoadState'] === 'loaded'
  const atBoot = found['UnitFileState'] === 'enabled'
  say(line.words.serviceState({ installed, active, atBoot, pid, text: found['StatusText'] ?? '' }))
  sayJson({ event: 'service', scope, installed, active, atBoot, ...(pid > 0 && { pid }) })
  return active ? 0 : 4
}

function fileOf(scope: Scope): string {
  if (scope === 'system') return join('/etc/systemd/system', UNIT)
  const config = process.env['XDG_CONFIG_HOME']
  return join(config?.startsWith('/') ? config : join(homedir(), '.config'), 'systemd/user', UNIT)
}
