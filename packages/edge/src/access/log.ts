import { resolve } from 'node:path'
import type { Logger } from '../log.ts'
import type { Account } from './entry.ts'
import { LogFile } from './file.ts'
import { type AccessFormat, accessLine } from './format.ts'

/** `access_log` of edge.yaml. */
export interface AccessLogSettings {
  /** Relative to the data folder; `stderr`: beside the edge's own log. */
  readonly file: string
  readonly format: AccessFormat
}

export interface AccessLog {
  readonly account: Account
  /** After the file has been moved away (SIGHUP). */
  reopen(): void
  close(): Promise<void>
}

/** Where each request is told of, one line each; undefined settings: nowhere. */
export function openAccessLog(
  settings: AccessLogSettings | undefined,
  { folder, log, stderr }: { folder: string; log: Logger; stderr: (line: string) => void },
): AccessLog {
  if (settings === undefined) return { account: () => {}, reopen: () => {}, close: async () => {} }
  const { file, format } = settings
  if (file === 'stderr') {
    return { account: (entry) => stderr(accessLine(entry, format)), reopen: () => {}, close: async () => {} }
  }
  const path = resolve(folder, file)
  const written = new LogFile(path, (err, dropped) =>
    log.warn({ err, path, dropped }, 'the access log cannot be written'),
  )
  return {
    account: (entry) => written.write(accessLine(entry, format)),
    reopen: () => written.reopen(),
    close: () => written.close(),
  }
}
