import { type FileHandle, open, stat } from 'node:fs/promises'
import { keepOwner } from '@engawa/shared/folder'

/** Lines that wait for a slow disk; past it they are dropped and counted. */
const WAITING_BYTES = 4 * 1024 * 1024
/** How often it looks whether the file has been moved away. */
const LOOK_MS = 1000
/** After a failure: a full disk is not asked for each line. */
const RETRY_MS = 5000
/** Addresses of visitors are nobody's business but root's and a log reader's. */
const MODE = 0o640
const LINE_FEED = 0x0a

/**
 * Appends lines to a file that others may rotate: renamed or removed, it is made anew within a second, or at once by
 * `reopen`; truncated, it goes on at its end. A line goes whole to one file, in order; behind one that was
 * cut off the next begins afresh. Traffic never waits for it.
 */
export class LogFile {
  readonly #path: string
  readonly #trouble: (error: unknown, dropped: number) => void
  #file: FileHandle | undefined
  /** The file may end within a line: a crash or a full disk has cut it off. */
  #torn = false
  #waiting: string[] = []
  #waitingBytes = 0
  #dropped = 0
  #lookedAt = Number.NEGATIVE_INFINITY
  #retryAt = 0
  #writing: Promise<void> | undefined
  #closed = false

  /** `trouble`: a line could not be written; called once for many of them. */
  constructor(path: string, trouble: (error: unknown, dropped: number) => void) {
    this.#path = path
    this.#trouble = trouble
  }

  write(line: string): void {
    if (this.#closed) return
    if (this.#waitingBytes + line.length > WAITING_BYTES) {
      this.#dropped++
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    this.#start()
  }

  /** The next line goes to a file opened afresh. */
  reopen(): void {
    this.#lookedAt = Number.NEGATIVE_INFINITY
    this.#retryAt = 0
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    this.#closed = true
    this.#retryAt = 0
    this.#start()
    await this.#writing
    await this.#file?.close()
    this.#file = undefined
  }

  #start(): void {
    if (this.#writing !== undefined || performance.now() < this.#retryAt) return
    this.#writing = new Promise((resolve) => setImmediate(() => resolve(this.#drain())))
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        // oxlint-disable-next-line no-await-in-loop -- one write after the other keeps the order
        await this.#take()
      }
    } catch (error) {
      this.#retryAt = performance.now() + RETRY_MS
      this.#trouble(error, this.#dropped)
      this.#dropped = 0
    }
    this.#writing = undefined
  }

  async #take(): Promise<void> {
    const file = await this.#current()
    const lines = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    try {
      await file.appendFile((await this.#lineEnd(file)) + lines.join(''))
    } catch (error) {
      this.#torn = true
      this.#dropped += lines.length
      throw error
    }
  }

  async #current(): Promise<FileHandle> {
    const now = performance.now()
    if (this.#file !== undefined && now - this.#lookedAt < LOOK_MS) return this.#file
    if (this.#file !== undefined && !(await this.#isStill(this.#file))) {
      await this.#file.close()
      this.#file = undefined
    }
    if (this.#file === undefined) {
      this.#file = await open(this.#path, 'a+', MODE)
      this.#torn = true
      keepOwner(this.#path)
    }
    this.#lookedAt = now
    return this.#file
  }

  /** What is missing of the line before. */
  async #lineEnd(file: FileHandle): Promise<string> {
    if (!this.#torn) return ''
    const { size } = await file.stat()
    const last = size > 0 ? await file.read(Buffer.alloc(1), 0, 1, size - 1) : undefined
    this.#torn = false
    return last === undefined || last.buffer[0] === LINE_FEED ? '' : '\n'
  }

  async #isStill(file: FileHandle): Promise<boolean> {
    try {
      const [ours, there] = [await file.stat(), await stat(this.#path)]
      return ours.ino === there.ino && ours.dev === there.dev
    } catch {
      return false
    }
  }
}
