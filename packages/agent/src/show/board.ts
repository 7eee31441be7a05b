import { styleText } from 'node:util'
import { readableHost, shownName } from '@engawa/shared/names'
import { printable } from '@engawa/shared/terminal'
import type { ShownEvent } from '../events.ts'
import { explain, explainCheck } from './explain.ts'
import { bytesText, clockText } from './figures.ts'
import type { Words } from './words.ts'
import { cut, wrap } from './wrap.ts'

/** Requests kept for the screen; more than any terminal shows. */
const MOST_REQUESTS = 50

interface Row {
  public: string | undefined
  target: string
  /** What is wrong with it, newest wording. */
  refused: string | undefined
  /** What is yet to come. */
  awaits: string | undefined
  silent: string | undefined
  check: string | undefined
  traffic: { total: number; open: number; received: number; sent: number; dropped: number } | undefined
}

/** What the live screen of `expose` knows; `render` is its picture. No input or output of its own. */
export class Board {
  readonly #words: Words
  readonly #rows: Map<string, Row> = new Map()
  readonly #requests: string[] = []
  #link: string
  #up = false
  #note: string | undefined

  constructor(words: Words) {
    this.#words = words
    this.#link = words.connecting
  }

  take(event: ShownEvent, at: Date): void {
    const words = this.#words
    switch (event.event) {
      case 'tunnel':
        Object.assign(this.#row(event.name, event.target), {
          public: printable(event.public),
          target: event.target,
          refused: undefined,
          awaits: explain(event, words),
        })
        break
      case 'refused':
        Object.assign(this.#row(event.name, event.target), { public: undefined, refused: explain(event, words) })
        break
      case 'asking':
        this.#row(event.name, event.target)
        break
      case 'removed':
        this.#rows.delete(event.name)
        break
      case 'service':
        this.#row(event.name, event.target).silent = event.reachable ? undefined : explain(event, words)
        break
      case 'check':
        this.#row(event.name, '').check = event.ok ? undefined : explainCheck(event, words)
        break
      case 'traffic':
        this.#row(event.name, '').traffic = event
        break
      case 'link':
        this.#link = words.connected(event.edge, event.rtt_ms)
        break
      case 'request':
        this.#requests.unshift(requestLine(event, at))
        this.#requests.length = Math.min(this.#requests.length, MOST_REQUESTS)
        break
      case 'connected':
      case 'resumed':
        this.#up = true
        if (event.event === 'connected') this.#link = words.connected(event.edge, undefined)
        this.#note = event.event === 'resumed' ? explain(event, words) : undefined
        break
      case 'carrier_lost':
      case 'disconnected':
        this.#up = event.event === 'carrier_lost' && event.left > 0
        this.#note = explain(event, words)
        break
      default:
        this.#note = explain(event, words)
    }
  }

  /** Lines of at most `columns`, at most `rows` of them. Only public addresses may be longer: they must stay whole to be copied. */
  render(columns: number, rows: number, colour: boolean): string[] {
    const words = this.#words
    const style = (format: Parameters<typeof styleText>[0], text: string): string =>
      colour ? styleText(format, text, { validateStream: false }) : text
    const lines: string[] = []
    const say = (text: string, format?: Parameters<typeof styleText>[0]): void => {
      for (const line of wrap(text, columns - 3))
        lines.push(format === undefined ? `  ${line}` : style(format, `  ${line}`))
    }
    const room = Math.max(1, Math.floor((rows - 6) / 3))
    for (const [name, row] of [...this.#rows].slice(0, room)) {
      lines.push(
        row.public === undefined
          ? cut(words.waiting(shownName(name)), columns - 1)
          : style(['bold', 'cyan'], row.public),
      )
      const { total = 0, open = 0, received = 0, sent = 0, dropped = 0 } = row.traffic ?? {}
      const reads = readableHost(row.public ?? '')
      say(`${reads === undefined ? '' : `${reads} `}-> ${row.target}`)
      if (row.traffic !== undefined) say(words.traffic(total, open, bytesText(received), bytesText(sent)), 'dim')
      if (dropped > 0) say(words.dropped(dropped), 'dim')
      if (row.awaits !== undefined) say(row.awaits, 'dim')
      for (const warning of [row.refused, row.silent, row.check]) if (warning !== undefined) say(warning, 'yellow')
    }
    if (this.#rows.size > room) say(words.more(this.#rows.size - room))
    lines.push('')
    const state = this.#up ? this.#link : (this.#note ?? this.#link)
    for (const line of wrap(`${words.link}: ${state}`, columns - 1))
      lines.push(style(this.#up ? 'green' : 'yellow', line))
    if (this.#up && this.#note !== undefined) say(this.#note, 'dim')
    lines.push('', words.requests)
    const left = Math.max(1, rows - lines.length - 3)
    if (this.#requests.length === 0) say(words.noRequests, 'dim')
    for (const request of this.#requests.slice(0, left)) lines.push(`  ${cut(request, columns - 3)}`)
    lines.push('', style('dim', words.stopHint))
    return lines.slice(0, Math.max(1, rows))
  }

  #row(name: string, target: string): Row {
    const known = this.#rows.get(name)
    if (known !== undefined) return known
    const row: Row = {
      public: undefined,
      target,
      refused: undefined,
      awaits: undefined,
      silent: undefined,
      check: undefined,
      traffic: undefined,
    }
    this.#rows.set(name, row)
    return row
  }
}

type RequestEvent = Extract<ShownEvent, { event: 'request' }>

export function requestLine(request: RequestEvent, at: Date): string {
  const { method, status, ms, path, visitor, code } = request
  const answer = `${String(status).padStart(3)} ${`${Math.round(ms)} ms`.padStart(8)}`
  const why = code === undefined ? '' : ` ${code}`
  return `${clockText(at)} ${printable(method).padEnd(6)} ${answer}  ${printable(visitor)}  ${printable(readable(path))}${why}`
}

/** Percent signs stand for other scripts most of the time. */
function readable(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}
