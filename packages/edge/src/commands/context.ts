import { jsonText } from '@engawa/shared/json'
import type { Language } from '@engawa/shared/say'
import type { FrontPeers } from '../generation/front-peers.ts'
import type { Words } from '../show/words.ts'
import type { Flags } from './grammar.ts'

/** The world around one command, so that tests can be it. */
export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly columns: number
  /** A person reads stdout, or stderr. */
  readonly outIsTty: boolean
  readonly errIsTty: boolean
  /** As `Output.arrived`: of what went out. Undefined: it always does. */
  readonly arrived?: () => Promise<boolean>
  /** Calls back on SIGTERM and SIGINT, each time. */
  readonly onSignal: (listener: () => void) => void
  /** Calls back on SIGHUP, each time. */
  readonly onHangup: (listener: () => void) => void
  /** Undefined: this process serves without a front. */
  readonly peers?: FrontPeers
  /** HTTP/1.1 is read by Node's parser alone. */
  readonly nodeHttp?: boolean
}

/** What a command gets to work with. */
export interface Context {
  readonly terminal: Terminal
  readonly words: Words
  readonly language: Language
  /** What follows the command, as many as it wants. */
  readonly args: readonly string[]
  readonly flags: Flags
  /** The data folder. */
  readonly folder: string
}

/** One line of `--json`. */
export function jsonLine(value: unknown): string {
  return `${jsonText(value)}\n`
}
