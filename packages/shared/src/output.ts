import type { Writable } from 'node:stream'
import { EngawaError } from './errors.ts'

/**
 * Notices whether what a command prints arrives: `edge invite NAME > FILE` on a full disk has lost its line. Made
 * before the first word is written.
 */
export class Output {
  readonly #stream: Writable
  #failure: NodeJS.ErrnoException | undefined

  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', (error) => (this.#failure ??= error))
  }

  /**
   * Whether all that was written so far has arrived; false where its reader has left (`| head -1`), which is nobody's
   * mistake. Throws FILE_REFUSED where it is lost.
   */
  async arrived(): Promise<boolean> {
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()))
    // What failed is told a moment after the callbacks.
    await new Promise((resolve) => setImmediate(resolve))
    if (this.#failure === undefined) return true
    const { code = this.#failure.message } = this.#failure
    if (code === 'EPIPE') return false
    const isFull = code === 'ENOSPC' || code === 'EDQUOT'
    throw new EngawaError(
      'FILE_REFUSED',
      `${isFull ? 'the disk is full: ' : ''}the answer is lost, for stdout cannot be written (${code}); what the command did stays done`,
      {
        cause: this.#failure,
        ja: `${isFull ? 'ディスクがいっぱいで' : ''}標準出力に書き込めず、結果を表示できませんでした (${code})。コマンドが行った変更は取り消されていません`,
      },
    )
  }
}
