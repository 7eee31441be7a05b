import { randomInt } from 'node:crypto'

interface Seat<Flow> {
  readonly address: string
  readonly port: number
  readonly flow: Flow
}

/**
 * Flows by the address and port they come from, as the system writes them.
 *
 * By a number: V8 enters each string that something is looked up by into a table of all strings, and one put together for
 * each datagram is new to it. The seed keeps visitors from choosing ports that come to the same number.
 */
export class FlowTable<Flow> {
  readonly #seed: number = randomInt(2 ** 32) | 0
  readonly #seats = new Map<number, Seat<Flow>[]>()

  get(address: string, port: number): Flow | undefined {
    const seats = this.#seats.get(this.#numberOf(address, port))
    if (seats === undefined) return undefined
    for (const seat of seats) if (seat.port === port && seat.address === address) return seat.flow
    return undefined
  }

  /** Once for each address and port, until it was deleted. */
  set(address: string, port: number, flow: Flow): void {
    const number = this.#numberOf(address, port)
    const seats = this.#seats.get(number)
    if (seats === undefined) this.#seats.set(number, [{ address, port, flow }])
    else seats.push({ address, port, flow })
  }

  delete(address: string, port: number): void {
    const number = this.#numberOf(address, port)
    const left = this.#seats.get(number)?.filter((seat) => seat.port !== port || seat.address !== address) ?? []
    if (left.length === 0) this.#seats.delete(number)
    else this.#seats.set(number, left)
  }

  /** All flows; any may be deleted meanwhile. */
  *values(): Generator<Flow> {
    for (const seats of this.#seats.values()) for (const { flow } of seats) yield flow
  }

  #numberOf(address: string, port: number): number {
    let number = Math.imul(this.#seed ^ port, 0x9e3779b1)
    for (let at = 0; at < address.length; at++) {
      number = Math.imul((number ^ (number >>> 15)) + address.charCodeAt(at), 0x85ebca6b)
    }
    return number ^ (number >>> 13)
  }
}
