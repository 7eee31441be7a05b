import {
  chmodSync,
  closeSync,
  fchownSync,
  fsyncSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { EngawaError } from './errors.ts'

/** Where a program keeps its state unless `--data` says otherwise. contract.md */
export function defaultFolder(
  program: 'edge' | 'agent',
  env: Readonly<Record<string, string | undefined>> = process.env,
  uid: number | undefined = process.getuid?.(),
): string {
  if (uid === 0) return join('/var/lib/engawa', program)
  const state = env['XDG_STATE_HOME']
  // The XDG specification: a relative path is to be ignored.
  const home = state?.startsWith('/') ? state : join(env['HOME'] ?? homedir(), '.local/state')
  return join(home, 'engawa', program)
}

/** Makes the folder with mode 0700 where it is not there yet; one that is there keeps its mode. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
}

/** Throws STATE_BROKEN where everybody may write: whoever may put files there decides who comes in. */
export function demandOwnFolder(folder: string): void {
  const { mode } = statSync(folder)
  if ((mode & 0o002) === 0) return
  throw new EngawaError('STATE_BROKEN', `everybody may write in ${folder}: chmod 700 it, or use another --data`, {
    ja: `${folder} には誰でも書き込めます。chmod 700 するか、--data で別のフォルダーを指定してください`,
  })
}

/** Which of these files of the folder others than their owner may read. */
export function exposedFiles(folder: string, names: readonly string[]): string[] {
  return names.map((name) => join(folder, name)).filter(isExposed)
}

/** Takes a file away from all but its owner; whether that was needed. */
export function closeToOthers(path: string): boolean {
  if (!isExposed(path)) return false
  chmodSync(path, 0o600)
  return true
}

function isExposed(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found?.isFile() === true && (found.mode & 0o077) !== 0
}

/**
 * Writes a file that is either old or new after a crash, never torn: temporary file, fsync, rename, fsync of the folder.
 * It belongs to the folder's owner, also when root writes it (`sudo engawa-agent join` in a user's folder).
 */
export function writeAtomic(path: string, content: string | Uint8Array, mode: number = 0o600): void {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${process.pid}.tmp`)
  try {
    rmSync(temporary, { force: true })
    const file = openSync(temporary, 'wx', mode)
    try {
      writeFileSync(file, content)
      keepOwnerOf(file, folder)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  const opened = openSync(folder, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

/**
 * Gives a file to the owner of its folder, where this process may do that. Never what a link there leads to: the
 * folder is its owner's, who may have put a link to somebody else's file in this place meanwhile.
 */
export function keepOwner(path: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(dirname(path))
  lchownSync(path, uid, gid)
}

/** As `keepOwner`, of a file that is open. */
function keepOwnerOf(file: number, folder: string): void {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = statSync(folder)
  fchownSync(file, uid, gid)
}

/** Throws STATE_BROKEN for a link: whoever may write in the folder would choose the file that we make or change. */
export function demandNoLink(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return
  throw new EngawaError('STATE_BROKEN', `${path} is a link; state is kept in files of its own`, {
    ja: `${path} がリンクになっています。状態のファイルはリンクにできません`,
  })
}

/** What the system says of a file that it does not let us use, and what can be done about it. */
const REFUSALS: Readonly<Record<string, (path: string) => { en: string; ja: string }>> = {
  EACCES: forbidden,
  EPERM: forbidden,
  EROFS: (path) => ({
    en: `${path} is on a read-only disk; name another place, as by --data`,
    ja: `${path} は読み取り専用のディスクにあります。--data などで別の場所を指定してください`,
  }),
  ENOSPC: full,
  EDQUOT: full,
  ENOTDIR: noFolder,
  EEXIST: noFolder,
}

function forbidden(path: string): { en: string; ja: string } {
  return {
    en: `no permission for ${path}: sudo, or another place, as by --data?`,
    ja: `${path} を使う権限がありません。sudo を付けて実行するか、--data などで別の場所を指定してください`,
  }
}

function full(path: string): { en: string; ja: string } {
  return {
    en: `the disk is full: ${path} cannot be written`,
    ja: `ディスクがいっぱいで ${path} に書き込めません。空きを作ってください`,
  }
}

function noFolder(path: string): { en: string; ja: string } {
  return {
    en: `${path} is a file, or lies below one, and a folder is needed there`,
    ja: `${path} は、フォルダーではなくファイルか、ファイルの下を指しています。フォルダーを指定してください`,
  }
}

/** An error of the file system as FILE_REFUSED where its user can do something about it; every other one as it is. */
export function plainly(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { code = '', path } = error as NodeJS.ErrnoException
  const text = path === undefined ? undefined : REFUSALS[code]?.(path)
  return text === undefined ? error : new EngawaError('FILE_REFUSED', text.en, { ja: text.ja, cause: error })
}

/** The text of a file, undefined if it is not there. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
