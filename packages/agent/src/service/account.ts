import { execFileSync } from 'node:child_process'
import { lchownSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { complaint } from '../complaint.ts'

export const ACCOUNT = 'engawa-agent'

/** The service's own user, made where it is not there; what lies in the folder is its own from now on. */
export function settleAccount(folder: string): void {
  const { uid, gid } = idsOf(ACCOUNT) ?? makeAccount(folder)
  own(folder, uid, gid)
}

function makeAccount(folder: string): { uid: number; gid: number } {
  const flags = ['--system', '--user-group', '--no-create-home', '--home-dir', folder, '--shell', '/usr/sbin/nologin']
  try {
    execFileSync('useradd', [...flags, ACCOUNT], { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] })
  } catch (cause) {
    const why = (cause as { stderr?: string }).stderr?.trim() ?? String(cause)
    throw complaint('SERVICE_MANAGER', (say) => say.managerFailed(`useradd ${ACCOUNT}`, why), cause)
  }
  const made = idsOf(ACCOUNT)
  if (made === undefined)
    throw complaint('SERVICE_MANAGER', (say) => say.managerFailed(`useradd ${ACCOUNT}`, 'no user'))
  return made
}

function idsOf(name: string): { uid: number; gid: number } | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

/** Never what a link leads to: that may be anybody's. */
function own(path: string, uid: number, gid: number): void {
  lchownSync(path, uid, gid)
  if (!lstatSync(path).isDirectory()) return
  for (const name of readdirSync(path)) own(join(path, name), uid, gid)
}
