import { loadConfig } from '../config.ts'
import { CARRIERS } from '../dial.ts'
import { needIdentity } from '../identity.ts'
import { openShow } from '../show/show.ts'
import { parseWish, type Wish } from '../wish.ts'
import { type Context, openLog } from './context.ts'
import { DRAIN_MS, run } from './run.ts'

export async function expose(context: Context): Promise<number> {
  const { line, folder, configFile } = context
  const wishes = wishesOf(context)
  // Little of it is needed here; a wrong file that someone named is still their mistake.
  const config = line.flags['config'] === undefined ? undefined : loadConfig(configFile, line.language)
  const identity = needIdentity(folder)
  const { json, qr } = line.flags
  const show = openShow({ words: line.words, language: line.language, json: json === true, qr: qr === true })
  const log = openLog(context, 'warn', (entry) => show.log(entry))
  try {
    return await run({
      folder,
      identity,
      log,
      carriers: line.carriers ?? config?.carriers ?? CARRIERS,
      drainMs: line.drainMs ?? config?.drainMs ?? DRAIN_MS,
      admin: line.admin ?? config?.admin,
      tell: (event) => show.tell(event),
      say: (told) => show.say(told),
      words: line.words,
      wishes: () => wishes,
      staysReplaced: false,
      needsReader: true,
      needsOne: true,
    })
  } finally {
    show.close()
  }
}

function wishesOf({ line }: Context): Wish[] {
  const { name, host, path, port, reach, allow, deny } = line.flags
  return line.rest.map((target) =>
    parseWish({
      target,
      name: text(name),
      host: list(host),
      path: text(path),
      stripPath: line.flags['strip-path'] === true ? true : undefined,
      bare: line.flags['default'] === true ? true : undefined,
      balance: line.flags['balance'] === true ? true : undefined,
      health: text(line.flags['health']),
      port: text(port),
      reach: list(reach),
      allow: list(allow),
      deny: list(deny),
      hostHeader: text(line.flags['host-header']),
      insecure: line.flags['insecure-target'] === true ? true : undefined,
      listing: line.flags['listing'] === true ? true : undefined,
      proxyProtocol: text(line.flags['proxy-protocol']),
      visitorAddress: text(line.flags['visitor-address']),
    }),
  )
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function list(value: unknown): string[] | undefined {
  return Array.isArray(value) ? (value as string[]) : undefined
}
