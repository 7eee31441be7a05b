import { createPrivateKey } from 'node:crypto'
import { readFileSync, type Stats, statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { EngawaError } from '@engawa/shared/errors'
import type { Logger } from '../log.ts'
import { type PublicCertificates, readPair } from './publics.ts'
import type { CertificateFile } from './settings.ts'

/** How often the files are looked at. Whoever renews them has weeks, but people who try it wait. */
const LOOK_MS = 2000

/** A certificate of the user's and how it is. */
export interface FileState {
  readonly name: string
  /** Undefined while the files on disk are good. */
  problem: string | undefined
}

/**
 * Takes certificates from files, and takes them anew when they change. Relative paths are below `folder`.
 * What is wrong at the start throws CONFIG_INVALID; what becomes wrong later leaves the former certificate in place.
 */
export function watchFiles(
  files: readonly CertificateFile[],
  { folder, publics, log, changed }: { folder: string; publics: PublicCertificates; log: Logger; changed: () => void },
): { states: readonly FileState[]; close: () => void } {
  const timers: NodeJS.Timeout[] = []
  const states = files.map((file) => {
    const state: FileState = { name: file.name, problem: undefined }
    const paths = [resolve(folder, file.cert), resolve(folder, file.key)] as const
    const [cert, key] = paths
    // Before they are read: what changes from now on is a change, however soon.
    let seen = paths.map(signNow).join(' ')
    load({ ...file, cert, key }, publics)
    const takeAnew = (): void => {
      try {
        load({ ...file, cert, key }, publics)
        if (state.problem !== undefined) log.info({ name: file.name }, 'the certificate files are good again')
        state.problem = undefined
        changed()
      } catch (error) {
        // Two files are never replaced in one moment: the next look may find them right.
        state.problem = error instanceof Error ? error.message : String(error)
        log.warn({ name: file.name, err: error }, 'the certificate files are wrong; the former one is shown on')
      }
    }
    const look = async (): Promise<void> => {
      const now = (await Promise.all(paths.map((path) => stat(path).then(signOf, () => signOf(undefined))))).join(' ')
      if (now === seen) return
      seen = now
      takeAnew()
    }
    timers.push(setInterval(() => void look(), LOOK_MS).unref())
    return state
  })
  return {
    states,
    close: () => {
      for (const timer of timers) clearInterval(timer)
    },
  }
}

/** What cannot be looked at is like what is not there: reading it tells why. */
function signNow(path: string): string {
  try {
    return signOf(statSync(path))
  } catch {
    return signOf(undefined)
  }
}

/** Another one for another content, as far as the disk tells. */
function signOf(found: Stats | undefined): string {
  return found === undefined ? 'none' : `${found.ino} ${found.size} ${found.mtimeMs} ${found.ctimeMs}`
}

function load({ name, cert, key }: CertificateFile, publics: PublicCertificates): void {
  const { pair, leaf } = read({ name, cert, key })
  // A wildcard is asked for by any name it stands for.
  if (leaf.checkHost(name.replace(/^\*/, 'any')) === undefined) {
    throw wrong(name, `${cert} is not for ${name} (${leaf.subjectAltName ?? ''})`)
  }
  publics.setFile(name, pair)
}

function read({ name, cert, key }: CertificateFile): ReturnType<typeof readPair> {
  try {
    const found = readPair({ cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }, true)
    if (found.leaf.checkPrivateKey(createPrivateKey(found.pair.key))) return found
  } catch (cause) {
    throw wrong(name, cause instanceof Error ? cause.message : String(cause), cause)
  }
  throw wrong(name, `${key} is not the key of ${cert}`)
}

function wrong(name: string, what: string, cause?: unknown): EngawaError {
  const text = `tls.files ${name}: ${what}`
  return new EngawaError('CONFIG_INVALID', text, { cause, ja: text })
}
