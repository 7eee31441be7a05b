import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { run } from './command.ts'
import { findTool } from './tools.ts'

/** Of a browser that starts beside other tests. */
export const PATIENCE_MS = 120_000

async function done(command: readonly [string, ...string[]]): Promise<void> {
  const { code, stderr } = await run([...command])
  if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
}

/** A self-signed certificate for one name, which may be a wildcard: its own root. */
export async function selfSigned(
  folder: string,
  { file, host }: { file: string; host: string },
): Promise<{ key: string; cert: string }> {
  mkdirSync(folder, { recursive: true })
  const [key, cert] = [join(folder, `${file}.key`), join(folder, `${file}.crt`)]
  const subject = ['-subj', `/CN=${file}`, '-addext', `subjectAltName=DNS:${host}`]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await done(['openssl', 'req', '-x509', ...kind, '-keyout', key, '-out', cert, ...subject])
  return { key, cert }
}

/** Chromium with a profile of its own in `home`, which trusts these roots as if its owner had installed them, and finds all below `domain` here. */
export async function openBrowser({
  home,
  roots,
  domain,
}: {
  home: string
  roots: readonly string[]
  domain: string
}): Promise<Browser> {
  const store = join(home, '.pki/nssdb')
  mkdirSync(store, { recursive: true })
  const commands = [['-N', '--empty-password'], ...roots.map((root) => ['-A', '-t', 'C,,', '-n', root, '-i', root])]
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const command of commands) await done(['certutil', '-d', `sql:${store}`, ...command])
  return await chromium.launch({
    timeout: PATIENCE_MS,
    executablePath: findTool('chromium') ?? 'chromium',
    args: ['--no-sandbox', '--no-proxy-server', `--host-resolver-rules=MAP *.${domain} 127.0.0.1`],
    env: { ...process.env, HOME: home },
  })
}
