import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type Result, run } from '../support/command.ts'
import { mortal } from '../support/program.ts'

/** What Node itself links to, which apt would install by the package's Depends, and systemd, not running, as every server has it. */
const PACKAGES = 'libatomic1,libstdc++6,systemd'

const TRIES = 3

/** An empty Debian with a network of its own: no Node, no npm, no way out. Gone with the test. */
export class Debian {
  readonly root: string = mkdtempSync(join(tmpdir(), 'engawa-debian-'))
  #init: ChildProcess | undefined
  #pid = 0

  /** Throws with debootstrap's last words. Where packages come from stumbles now and then: three tries. */
  async bootstrap(): Promise<void> {
    for (let tries = TRIES; ; tries--) {
      // oxlint-disable-next-line no-await-in-loop -- the next try only after this one
      const failed = await this.#debootstrap()
      if (failed === undefined) return this.#boot()
      if (tries === 1) throw new Error(failed)
      rmSync(this.root, { recursive: true, force: true })
      mkdirSync(this.root)
    }
  }

  /** The words that run a program inside. */
  enter(...command: readonly string[]): [string, ...string[]] {
    return [...this.beside('chroot', this.root, '/usr/bin/env', '-i', ...ENVIRONMENT, ...command)]
  }

  /** The words that run a program of this machine in that network. */
  beside(...command: readonly string[]): [string, ...string[]] {
    return ['nsenter', `--target=${this.#pid}`, '--net', '--mount', '--pid', ...command]
  }

  /** As `beside`, among this machine's processes. */
  inNetwork(...command: readonly string[]): [string, ...string[]] {
    return ['nsenter', `--target=${this.#pid}`, '--net', ...command]
  }

  do(...command: readonly string[]): Promise<Result> {
    return run(this.enter(...command), { deadlineMs: 120_000 })
  }

  /** Puts a file into its /tmp; answers the path inside. */
  bring(file: string): string {
    const inside = join('/tmp', basename(file))
    copyFileSync(file, join(this.root, inside))
    return inside
  }

  close(): void {
    // With the first process of its own, the kernel ends all others inside and takes the mounts away.
    if (this.#pid > 0) killed(this.#pid)
    this.#init?.kill('SIGKILL')
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
  }

  async #debootstrap(): Promise<string | undefined> {
    const { suite, mirror } = ownSource()
    // Its / is for everyone in it, not as folders for passing things are made.
    chmodSync(this.root, 0o755)
    const flags = ['--variant=minbase', `--include=${PACKAGES}`]
    const { code, stdout } = await run(['debootstrap', ...flags, suite, this.root, mirror], {
      deadlineMs: 240_000,
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    })
    return code === 0 ? undefined : `debootstrap: exit ${code}\n${stdout.split('\n').slice(-10).join('\n')}`
  }

  /** One process that holds the namespaces; it says its number (as seen from here) by what it is the child of. */
  async #boot(): Promise<void> {
    const script = `ip link set lo up && mount -t proc proc "$1/proc" && echo up && exec sleep infinity`
    const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child=KILL']
    const [file, ...args] = mortal(['unshare', ...namespaces, 'sh', '-c', script, 'sh', this.root])
    const init = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#init = init
    await new Promise<void>((resolve, reject) => {
      init.stdout.once('data', () => resolve())
      init.once('exit', (code) => reject(new Error(`no namespaces: exit ${code}`)))
    })
    this.#pid = childOf(init.pid ?? 0)
  }
}

/** systemd is there and does not run: it is told so, since from in here it cannot see that. */
const ENVIRONMENT = [
  'LANG=C.UTF-8',
  'SYSTEMD_OFFLINE=1',
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
]

function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It had gone.
  }
}

function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
}

/** From where this machine installs its own packages, as apt knows it. */
function ownSource(): { suite: string; mirror: string } {
  const told = execFileSync('apt-get', ['indextargets', '--format', '$(SITE) $(RELEASE) $(COMPONENT) $(ORIGIN)'], {
    encoding: 'utf8',
  })
  for (const line of told.split('\n')) {
    const [mirror, suite, component, origin] = line.split(' ')
    const plain = suite !== undefined && /^[a-z]+$/.test(suite)
    if (mirror !== undefined && plain && component === 'main' && origin === 'Debian') return { suite, mirror }
  }
  throw new Error('apt knows no Debian to install from')
}

/** What is left in a folder, for a test that wants nothing to be. */
export function left(root: string, folder: string): string[] {
  try {
    return readdirSync(join(root, folder))
  } catch {
    return []
  }
}
