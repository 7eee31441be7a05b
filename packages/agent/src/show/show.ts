import { jsonText } from '@engawa/shared/json'
import { shownAddress } from '@engawa/shared/names'
import type { Language } from '@engawa/shared/say'
import { printable } from '@engawa/shared/terminal'
import { renderUnicodeCompact } from 'uqr'
import type { AgentEvent, ShownEvent } from '../events.ts'
import { requestLine } from './board.ts'
import { explain } from './explain.ts'
import { Screen } from './screen.ts'
import type { Words } from './words.ts'

/** More would fill no terminal and no camera's view. */
const MAX_QR_BYTES = 600

/** Where a running `expose` or `up` shows what happens. */
export interface Show {
  tell(event: ShownEvent): void
  /** A line for people that stays. */
  say(text: string): void
  /** A log line, on stderr. */
  log(line: string): void
  close(): void
}

export interface ShowSettings {
  readonly words: Words
  readonly language: Language
  readonly json: boolean
  readonly qr: boolean
}

/** JSON lines, a live screen, or plain lines where stdout is no terminal or NO_COLOR is set. */
export function openShow({ words, language, json, qr }: ShowSettings): Show {
  if (json) return jsonShow()
  const live = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb'
  const show = live ? liveShow(words, qr) : plainShow(words, qr)
  return language === 'ja' ? { ...show, tell: (event) => show.tell(inJapanese(event)) } : show
}

function inJapanese(event: ShownEvent): ShownEvent {
  return 'ja' in event && event.ja !== undefined ? { ...event, message: event.ja } : event
}

function isForScreen(event: ShownEvent): event is Exclude<ShownEvent, AgentEvent> {
  return ['request', 'traffic', 'link', 'asking'].includes(event.event)
}

function jsonShow(): Show {
  return {
    tell(event): void {
      if (!isForScreen(event)) process.stdout.write(`${jsonText({ ...event, ja: undefined })}\n`)
    },
    say: () => {},
    log: (line) => void process.stderr.write(line),
    close: () => {},
  }
}

/** The address comes from the edge; what no code holds is not worth a crash. */
function qrOf(address: string): string {
  return Buffer.byteLength(address) > MAX_QR_BYTES ? '' : renderUnicodeCompact(address)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function plainShow(words: Words, qr: boolean): Show {
  const shown = new Set<string>()
  return {
    tell(event): void {
      if (event.event === 'request') return say(requestLine(event, new Date()))
      if (isForScreen(event)) return
      if (event.event === 'tunnel') {
        say(`${printable(shownAddress(event.public))} -> ${event.target}`)
        if (qr && !shown.has(event.public)) say(qrOf(event.public))
        shown.add(event.public)
      }
      const text = explain(event, words)
      if (text !== undefined) say(text)
    },
    say,
    log: (line) => void process.stderr.write(line),
    close: () => {},
  }
}

function liveShow(words: Words, qr: boolean): Show {
  const screen = new Screen(process.stdout, words)
  const shown = new Set<string>()
  return {
    tell(event): void {
      if (qr && event.event === 'tunnel' && !shown.has(event.public)) {
        shown.add(event.public)
        screen.above(qrOf(event.public))
      }
      if (event.event === 'notice') screen.above(explain(event, words) ?? '')
      else screen.tell(event)
    },
    say: (text) => screen.above(text),
    log(line): void {
      if (process.stderr.isTTY) screen.above(line)
      else process.stderr.write(line)
    },
    close: () => screen.close(),
  }
}
