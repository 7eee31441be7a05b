import { setTimeout as wait } from 'node:timers/promises'
import type { Program } from '../support/program.ts'
import type { Network } from './network.ts'

/** A moment on the wall clock of this machine, milliseconds with fractions: all processes of a lab share it. */
export type Moment = number

export function moment(): Moment {
  return performance.timeOrigin + performance.now()
}

/** What goes wrong between an edge and its agents, on demand. Each tells the moment from which the path works again. */
export class Faults {
  readonly #network: Network

  constructor(network: Network) {
    this.#network = network
  }

  /** Every packet vanishes, both ways. Nobody is told. */
  async dropSilently(ms: number): Promise<Moment> {
    this.#rules('drop')
    await wait(ms)
    this.mend()
    return moment()
  }

  /** Both ends of every connection that exists now get RST for their next packet; new ones live. */
  reset(): Moment {
    for (const family of ['ipv4', 'ipv6']) {
      // It fails where there is nothing to mark.
      this.#network.exec('cgnat', ['sh', '-c', `conntrack -U -f ${family} -p tcp --mark 1 || true`])
    }
    return moment()
  }

  /** The translators of IPv4 forget everything: the next packet out leaves from another port, what comes to the old one vanishes. */
  rebindNat(): Moment {
    for (const room of ['cgnat', 'router'] as const) this.#network.exec(room, ['conntrack', '-F'])
    return moment()
  }

  /** Each connection gets RST as soon as it has carried so many bytes, both ways together; until `mend`. */
  cutAfter(bytes: number): void {
    this.#rules(`meta l4proto tcp ct bytes > ${bytes} reject with tcp reset`)
  }

  /** So many percent of all packets are lost, each way; until `mend`. */
  lose(percent: number): void {
    this.#rules(`numgen random mod 100 < ${percent} drop`)
  }

  mend(): void {
    this.#rules()
  }

  /** Both ways between the NAT and home, as `tc` writes a rate: `1mbit`. */
  limit(rate: string): void {
    const shape = ['root', 'tbf', 'rate', rate, 'burst', '16k', 'latency', '200ms']
    this.#network.exec('cgnat', ['tc', 'qdisc', 'replace', 'dev', 'right', ...shape])
    this.#network.exec('router', ['tc', 'qdisc', 'replace', 'dev', 'left', ...shape])
  }

  /** Undoes `limit`. */
  unlimit(): void {
    for (const [room, side] of [
      ['cgnat', 'right'],
      ['router', 'left'],
    ] as const) {
      this.#network.exec(room, ['tc', 'qdisc', 'del', 'dev', side, 'root'])
    }
  }

  /** SIGSTOP: the process keeps its sockets and does nothing. */
  async freeze(program: Program, ms: number): Promise<Moment> {
    program.freeze()
    await wait(ms)
    program.thaw()
    return moment()
  }

  #rules(...rules: readonly string[]): void {
    const lines = ['flush chain inet lab faults', ...rules.map((rule) => `add rule inet lab faults ${rule}`)]
    this.#network.nft('cgnat', lines.join('\n'))
  }
}
