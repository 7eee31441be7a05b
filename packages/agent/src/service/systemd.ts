import { execFileSync } from 'node:child_process'
import { complaint } from '../complaint.ts'
import type { Scope } from './unit.ts'

/** systemd, by its command: of the machine, or of the one who is logged in. */
export class Systemd {
  readonly #scope: Scope

  constructor(scope: Scope) {
    this.#scope = scope
  }

  /** 0 where there is none. */
  get version(): number {
    try {
      return Number(/^systemd (\d+)/.exec(this.#run(['--version']))?.[1] ?? 0)
    } catch {
      return 0
    }
  }

  /** Throws SERVICE_MANAGER with what it said. */
  do(...words: readonly string[]): string {
    try {
      return this.#run(words)
    } catch (cause) {
      const { stderr, code } = cause as { stderr?: string; code?: string }
      const why = code === 'ENOENT' ? 'systemctl: not found' : (stderr?.trim() ?? String(cause))
      throw complaint('SERVICE_MANAGER', (say) => say.managerFailed(`systemctl ${words.join(' ')}`, why), cause)
    }
  }

  /** Properties of a unit by name. */
  show(unit: string, ...names: readonly string[]): Record<string, string> {
    const lines = this.do('show', unit, ...names.flatMap((name) => ['--property', name])).split('\n')
    return Object.fromEntries(lines.map((line) => [line.split('=', 1)[0] ?? '', line.slice(line.indexOf('=') + 1)]))
  }

  #run(words: readonly string[]): string {
    const scope = this.#scope === 'user' ? ['--user'] : []
    return execFileSync('systemctl', [...scope, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }
}
