import type { WriteStream } from 'node:tty'
import { stripVTControlCharacters } from 'node:util'
import { widthOf } from '@engawa/shared/terminal'
import type { ShownEvent } from '../events.ts'
import { Board } from './board.ts'
import type { Words } from './words.ts'

/** Redraws at most this often, milliseconds: a busy service must not make the terminal the bottleneck. */
const REDRAW_MS = 100

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'

/** The live screen: a block at the end of the terminal that is drawn again in place. What was above stays. */
export class Screen {
  readonly #out: WriteStream
  readonly #board: Board
  #drawn: readonly string[] = []
  #timer: NodeJS.Timeout | undefined
  #closed = false
  readonly #resized = (): void => this.#soon()
  readonly #exit = (): void => this.close()

  constructor(out: WriteStream, words: Words) {
    this.#out = out
    this.#board = new Board(words)
    out.write(HIDE_CURSOR)
    out.on('resize', this.#resized)
    // Also after a crash the cursor must come back.
    process.once('exit', this.#exit)
    this.#draw()
  }

  tell(event: ShownEvent): void {
    this.#board.take(event, new Date())
    this.#soon()
  }

  /** Prints lines that stay, above the block: log lines, a QR code. */
  above(text: string): void {
    this.#out.write(this.#erase() + text.replace(/\n?$/, '\n'))
    this.#drawn = []
    this.#draw()
  }

  /** Leaves the last picture and gives the cursor back. */
  close(): void {
    if (this.#closed) return
    this.#draw()
    this.#closed = true
    clearTimeout(this.#timer)
    this.#out.off('resize', this.#resized)
    process.off('exit', this.#exit)
    this.#out.write(SHOW_CURSOR)
  }

  /** Some pseudo terminals say 0. */
  get #size(): { columns: number; rows: number } {
    return { columns: this.#out.columns || 80, rows: this.#out.rows || 24 }
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#draw()
    }, REDRAW_MS)
  }

  #draw(): void {
    if (this.#closed) return
    const { columns, rows } = this.#size
    // One row less: the cursor stands below the block.
    const lines = this.#board.render(columns, rows - 1, true)
    this.#out.write(`${this.#erase()}${lines.join('\n')}\n`)
    this.#drawn = lines
  }

  /** Goes back to the first line of the block: what was drawn may have been wrapped anew by a narrower window. */
  #erase(): string {
    const { columns } = this.#size
    const rows = this.#drawn.reduce(
      (sum, line) => sum + Math.max(1, Math.ceil(widthOf(stripVTControlCharacters(line)) / columns)),
      0,
    )
    return rows === 0 ? '' : `\u001b[${rows}A\r\u001b[J`
  }
}
