import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../support/command.ts'
import { findTool } from '../support/tools.ts'

/** Files of a page, each by a name of its own. */
const FILES = 200
/** Asked for at a time, as browsers do. */
const AT_ONCE = 100

/** A page of small files over one new HTTP/2 connection, from before its handshake to the last byte; milliseconds. */
export async function page(port: number, host: string): Promise<number> {
  const list = join(tmpdir(), `engawa-bench-${process.pid}-${port}.urls`)
  const urls = Array.from({ length: FILES }, (_, index) => `https://${host}:${port}/file-${index}.js\n`)
  writeFileSync(list, urls.join(''))
  const asked = ['-n', `${FILES}`, '-c', '1', '-m', `${AT_ONCE}`, '-i', list]
  const { stdout, stderr } = await run([findTool('h2load') ?? 'h2load', ...asked, `--connect-to=127.0.0.1:${port}`])
  const [, time, unit] = /^finished in ([\d.]+)(us|ms|s),/m.exec(stdout) ?? []
  if (!stdout.includes(`, ${FILES} succeeded,`) || !stdout.includes('protocol: h2')) {
    throw new Error(`not every file came over h2\n${stdout}\n${stderr}`)
  }
  return Number(time) * ({ us: 0.001, ms: 1, s: 1000 }[unit ?? ''] ?? Number.NaN)
}
