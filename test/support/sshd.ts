import { mkdirSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { run } from './command.ts'
import type { Program } from './program.ts'
import { findTool } from './tools.ts'
import type { World } from './world.ts'

export interface Sshd {
  readonly port: number
  readonly daemon: Program
  /** `ssh` to this daemon by way of another port, without any file of the user's. */
  client: (port: number, ...args: readonly string[]) => ['ssh', ...string[]]
}

/** OpenSSH's daemon with its own keys and folder on a free port of `host`, where services live. It lets in whoever runs the test, by key. */
export async function startSshd(world: World, host: string = '127.0.0.1'): Promise<Sshd> {
  const folder = world.folder('sshd')
  mkdirSync(folder, { mode: 0o700 })
  const file = (name: string): string => join(folder, name)
  await Promise.all(['host', 'user'].map((name) => makeKey(file(name))))
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const port = await freePort()
  const settings = {
    Port: port,
    ListenAddress: host,
    HostKey: file('host'),
    AuthorizedKeysFile: file('user.pub'),
    PidFile: 'none',
    StrictModes: 'no',
    UsePAM: 'no',
    PasswordAuthentication: 'no',
    PermitRootLogin: 'prohibit-password',
    Subsystem: 'sftp internal-sftp',
  }
  const config = Object.entries(settings).map(([key, value]) => `${key} ${value}\n`)
  writeFileSync(file('config'), config.join(''), { mode: 0o600 })
  const daemon = world.startAt('service', 'sshd', [findTool('sshd') ?? 'sshd', '-D', '-e', '-f', file('config')])
  await daemon.untilLogged(/Server listening/)
  const settingsOfClient = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'StrictHostKeyChecking=no',
    `UserKnownHostsFile=${file('known')}`,
    'LogLevel=ERROR',
  ]
  const options = ['-F', 'none', '-i', file('user'), ...settingsOfClient.flatMap((setting) => ['-o', setting])]
  const client: Sshd['client'] = (through, ...args) => [
    'ssh',
    ...options,
    '-p',
    String(through),
    `${userInfo().username}@127.0.0.1`,
    ...args,
  ]
  return { port, daemon, client }
}

async function makeKey(file: string): Promise<void> {
  const { code, stderr } = await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', file])
  if (code !== 0) throw new Error(`ssh-keygen: ${stderr}`)
}
