import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { openVisitorsCa } from '@engawa/edge/identity/visitors-ca'
import { freePort } from '../../packages/edge/test/support/ports.ts'
import { Program } from './program.ts'
import { Shim } from './shim.ts'

export interface PebbleOptions {
  /** Life of the certificates that it issues. */
  readonly validS?: number
  /** Its own settings: PEBBLE_…. */
  readonly env?: Readonly<Record<string, string>>
}

interface Ports {
  readonly acme: number
  readonly admin: number
  readonly dns: number
  readonly dnsAdmin: number
}

/** Let's Encrypt's test CA with a DNS of its own, in a world's folder. What it looks at goes through shims: ports of an edge that may be closed. */
export class Pebble {
  readonly directory: string
  readonly caFile: string
  /** Of its files; others may lie there, too. */
  readonly folder: string
  /** What answers the CA at the ports 80 and 443 of every name. */
  readonly http: Shim
  readonly https: Shim
  readonly #ports: Ports
  readonly #start: () => Program
  #program: Program
  #root = ''

  private constructor(
    ports: Ports,
    {
      http,
      https,
      caFile,
      folder,
      start,
    }: { http: Shim; https: Shim; caFile: string; folder: string; start: () => Program },
  ) {
    this.#ports = ports
    this.http = http
    this.https = https
    this.caFile = caFile
    this.folder = folder
    this.directory = `https://127.0.0.1:${ports.acme}/dir`
    this.#start = start
    this.#program = start()
  }

  /** A CA that answers, until the test ends. */
  static async open(
    t: { teardown: (end: () => Promise<void>) => unknown },
    { validS = 90 * 86_400, env = {} }: PebbleOptions = {},
  ): Promise<Pebble> {
    const folder = mkdtempSync(join(tmpdir(), 'engawa-pebble-'))
    const programs: Program[] = []
    const start = (name: string, command: readonly [string, ...string[]], more?: Record<string, string>): Program => {
      const program = new Program({ name, command, ...(more && { env: more }) })
      programs.push(program)
      return program
    }
    const [http, https] = await Promise.all([Shim.open(), Shim.open()])
    t.teardown(async () => {
      await Promise.all([http.close(), https.close(), ...programs.map((program) => program.kill())])
      rmSync(folder, { recursive: true, force: true })
    })
    const acme = await freePort(4)
    const [admin, dns, dnsAdmin] = [acme + 1, acme + 2, acme + 3]
    const own = openVisitorsCa(folder, { domain: 'localhost', addresses: ['127.0.0.1'] }, new Date())
    const { key, cert } = own.issue(['127.0.0.1', 'localhost'], new Date())
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text)
      return join(folder, name)
    }
    const caFile = file('ca.pem', own.certificate)
    const config = {
      listenAddress: `127.0.0.1:${acme}`,
      managementListenAddress: `127.0.0.1:${admin}`,
      certificate: file('cert.pem', cert),
      privateKey: file('key.pem', key),
      httpPort: http.port,
      tlsPort: https.port,
      certificateValidityPeriod: validS,
    }
    const settings = file('pebble.json', JSON.stringify({ pebble: config }))
    const names = `-dns01 127.0.0.1:${dns} -management 127.0.0.1:${dnsAdmin} -defaultIPv6`.split(' ')
    const nothing = ['-http01', '', '-https01', '', '-tlsalpn01', '']
    start('dns', ['pebble-challtestsrv', ...names, '', ...nothing])
    const run = (): Program =>
      start('pebble', ['pebble', '-config', settings, '-dnsserver', `127.0.0.1:${dns}`], {
        PEBBLE_VA_NOSLEEP: '1',
        PEBBLE_WFE_NONCEREJECT: '10',
        PEBBLE_AUTHZREUSE: '0',
        ...env,
      })
    const made = new Pebble({ acme, admin, dns, dnsAdmin }, { http, https, caFile, folder, start: run })
    await made.#ready()
    return made
  }

  /** PEM: what visitors must trust. Another one after each start. */
  get root(): string {
    return this.#root
  }

  get resolver(): string {
    return `127.0.0.1:${this.#ports.dns}`
  }

  /** Where a hook program puts TXT records: `/set-txt`, `/clear-txt`. */
  get dnsApi(): string {
    return `http://127.0.0.1:${this.#ports.dnsAdmin}`
  }

  /** An edge.yaml that has certificates issued here. `more`: further lines of `tls.acme`, then of the file. */
  config(acme: readonly string[] = [], rest: readonly string[] = [], directory: string = this.directory): string {
    const path = join(this.folder, 'edge.yaml')
    const lines = ['tls:', '  acme:', `    directory: ${directory}`, `    ca_file: ${this.caFile}`]
    writeFileSync(path, [...lines, ...acme.map((line) => `    ${line}`), ...rest, ''].join('\n'))
    return path
  }

  /** The edge whose names the DNS of this CA leads to. */
  lead({ http, https }: { readonly http: string; readonly https: string }): void {
    this.http.lead(http)
    this.https.lead(https)
  }

  /** How often it has said so. */
  said(what: RegExp): number {
    return [...this.#program.lines, ...this.#program.log].filter((line) => what.test(line)).length
  }

  report(): string {
    return this.#program.report()
  }

  /** What `dnsApi` answers from now on. */
  async tellDns(path: string, body: object): Promise<void> {
    const { status } = await ask(this.dnsApi + path, { body: JSON.stringify(body) })
    if (status !== 200) throw new Error(`pebble-challtestsrv refuses ${path}`)
  }

  async stop(): Promise<void> {
    await this.#program.kill()
  }

  /** Once more on the same ports, with nothing in its memory. */
  async restart(): Promise<void> {
    this.#program = this.#start()
    await this.#ready()
  }

  async #ready(): Promise<void> {
    const ca = readFileSync(this.caFile, 'utf8')
    const deadline = performance.now() + 60_000
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- until it listens
      const root = await ask(`https://127.0.0.1:${this.#ports.admin}/roots/0`, { ca }).catch(() => undefined)
      // oxlint-disable-next-line no-await-in-loop
      const dns = await ask(this.dnsApi).catch(() => undefined)
      this.#root = root?.text ?? ''
      if (root?.status === 200 && dns !== undefined) return
      if (performance.now() > deadline || this.#program.exit !== undefined) {
        throw new Error(`pebble does not answer\n${this.#program.report()}`)
      }
      // oxlint-disable-next-line no-await-in-loop
      await setTimeout(50)
    }
  }
}

function ask(
  url: string,
  { ca, body }: { ca?: string; body?: string } = {},
): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const options = { method: body === undefined ? 'GET' : 'POST', agent: false, timeout: 5000 } as const
    const request = ca === undefined ? httpRequest(url, options) : httpsRequest(url, { ...options, ca })
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => (text += part))
      response.on('end', () => resolve({ status: response.statusCode, text }))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', reject)
    request.end(body)
  })
}

/** dnsmasq on a port of 127.0.0.1, once it answers. It knows what `flags` say, and nothing else. */
export async function startDns(
  t: { teardown: (end: () => Promise<void>) => unknown },
  port: number,
  flags: readonly string[],
): Promise<void> {
  const command = ['dnsmasq', '--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--bind-interfaces']
  const rest = ['--listen-address=127.0.0.1', `--port=${port}`, '--user=root', '--local=/#/', ...flags]
  const program = new Program({ name: 'dnsmasq', command: [...command, ...rest] as [string, ...string[]] })
  t.teardown(() => program.kill())
  await program.untilLogged(/started, version/)
}
