import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { mortal } from './program.ts'

/** Prints each datagram's lines; Node opens no such socket. */
const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    for line in s.recv(65536).decode().splitlines():
        if not line.startswith('BARRIER='):
            print(line, flush=True)
`

/** In the place of the service manager: a NOTIFY_SOCKET, and what was said to it. */
export class Herald {
  readonly path: string
  readonly said: string[] = []
  readonly #child: ChildProcess
  #wake: () => void = () => {}

  private constructor(path: string) {
    this.path = path
    const [file, ...args] = mortal(['python3', '-c', LISTENER, path])
    this.#child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.said.push(line)
      this.#wake()
    })
  }

  /** One that listens, gone with the test. */
  static async open(t: { teardown: (end: () => void) => unknown }): Promise<Herald> {
    const folder = mkdtempSync(join(tmpdir(), 'engawa-herald-'))
    const herald = new Herald(join(folder, 'notify'))
    t.teardown(() => {
      herald.#child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    })
    await herald.until(/^listening$/)
    herald.said.length = 0
    return herald
  }

  /** Resolves once `count` lines match. */
  async until(wanted: RegExp, count = 1): Promise<void> {
    while (this.said.filter((line) => wanted.test(line)).length < count) {
      // oxlint-disable-next-line no-await-in-loop -- one line after the other
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}
