import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../support/command.ts'

const PACKAGE = join(import.meta.dirname, '../../scripts/package.ts')

/** What `npm run package` makes, in a folder of the test's own. */
export class Built {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'engawa-built-'))

  /** Throws with what the build said. */
  async make(...flags: readonly string[]): Promise<void> {
    const command = [process.execPath, PACKAGE, '--out', this.folder, ...flags] as const
    const { code, stdout, stderr } = await run([...command], { deadlineMs: 300_000, env: npmSettings() })
    if (code !== 0) throw new Error(`package ${flags.join(' ')}: exit ${code}\n${stdout}\n${stderr}`)
  }

  executable(program: 'edge' | 'agent', architecture: 'x64' | 'arm64' = 'x64'): string {
    return this.#there(`linux-${architecture}/engawa-${program}`)
  }

  deb(program: 'edge' | 'agent', version: string): string {
    return this.#there(`engawa-${program}_${version}_amd64.deb`)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }

  #there(name: string): string {
    const file = join(this.folder, name)
    if (!existsSync(file)) throw new Error(`${name} was not built`)
    return file
  }
}

/** Programs under test start without npm's variables; the build needs them to find its registry. */
function npmSettings(): Record<string, string> {
  const mine = Object.entries(process.env).filter(([name]) => /^(?:npm_config_|https?_proxy$)/i.test(name))
  return Object.fromEntries(mine) as Record<string, string>
}
