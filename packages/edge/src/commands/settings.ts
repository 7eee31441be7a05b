import { join } from 'node:path'
import { EngawaError } from '@engawa/shared/errors'
import { readIfThere } from '@engawa/shared/folder'
import { type EdgeSettings, edgeSettings } from '../config.ts'
import { mayBindLow } from '../privilege.ts'
import type { Context } from './context.ts'

export interface ReadSettings {
  readonly settings: EdgeSettings
  /** A usual port was wanted that this user may not open. */
  readonly fallback: boolean
}

/** Flags over file over defaults. Throws FLAG_INVALID, CONFIG_INVALID. */
export function readSettings({ flags, folder, language, words }: Context): ReadSettings {
  const path = flags.config ?? join(folder, 'edge.yaml')
  const text = readFile(path)
  if (text === undefined && flags.config !== undefined) {
    throw new EngawaError('CONFIG_INVALID', words.configAbsent(path), { ja: words.configAbsent(path) })
  }
  const low = mayBindLow()
  const source = {
    flags: {
      domain: flags.domain,
      http: flags.http,
      https: flags.https,
      carrier: flags.carrier,
      publicHost: flags['public-host'],
      admin: flags.admin,
      tcpPorts: flags['tcp-ports']?.join(','),
      udpPorts: flags['udp-ports']?.join(','),
      bind: flags.bind,
      grace: flags.grace,
      drain: flags.drain,
      handOverDrain: flags['handover-drain'],
    },
    file: text === undefined ? undefined : { path, text },
    language,
  }
  const settings = edgeSettings({ ...source, mayBindLow: low })
  return {
    settings,
    fallback: !low && fellBack(settings, edgeSettings({ ...source, mayBindLow: true })),
  }
}

function fellBack(real: EdgeSettings, wanted: EdgeSettings): boolean {
  return portsOf(real) !== portsOf(wanted)
}

function portsOf({ http, https }: EdgeSettings): string {
  return `${http.port} ${https === 'off' ? '' : https.port}`
}

function readFile(path: string): string | undefined {
  try {
    return readIfThere(path)
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new EngawaError('CONFIG_INVALID', `${path} cannot be read (${why})`, {
      cause,
      ja: `${path} を読めません (${why})`,
    })
  }
}
