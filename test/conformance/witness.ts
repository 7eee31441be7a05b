import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A request as it reached the service. */
export interface Witnessed {
  /** `METHOD target`, ` +N` for a body; `raw …` for bytes after a switch of protocols. */
  readonly text: string
  /** By lower-case name. */
  readonly fields: Readonly<Record<string, string>>
}

interface Head extends Witnessed {
  readonly chunked: boolean
  readonly length: number
  readonly head: boolean
}

const LINE = /^([A-Z-]+ \/[\x21-\x7e]*) HTTP\/1\.1$/
const FIELD = /^([!#$%&'*+.^`|~0-9A-Za-z-]+): ?([\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
/** Trailers that decide something, or that the edge says itself; in any spelling. */
const DECIDES =
  /^(?:host|content\W(?:length|encoding|type)|transfer\Wencoding|trailer|te|connection|upgrade|expect|cookie|authorization|proxy\W.*|forwarded|x\Wforwarded.*|x\Wreal\Wip|[^:]*_.*?):/i
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n'
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const MARK = '/caught-up'
/** How long the service thinks before its 101: time enough for bytes that should not come yet. */
const THINK_MS = 50

/**
 * A service that reads requests by the letter of RFC 9112 and nothing more, so that what it counts is what any reader
 * would count. Whatever is not by the letter is a fault.
 */
export class Witness {
  readonly seen: Witnessed[] = []
  readonly faults: string[] = []
  /** Requests whose body broke off. */
  torn = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #quiet: (() => void)[] = []

  private constructor() {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.once('close', () => {
        this.#sockets.delete(socket)
        if (this.#sockets.size > 0) return
        for (const resolve of this.#quiet.splice(0)) resolve()
      })
      void new Reader(this, socket)
    })
  }

  static async open(): Promise<Witness> {
    const witness = new Witness()
    await new Promise<void>((resolve) => witness.#server.listen(0, '127.0.0.1', resolve))
    return witness
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** Resolves when nobody is connected. */
  quiet(): Promise<void> {
    return this.#sockets.size === 0 ? Promise.resolve() : new Promise((resolve) => this.#quiet.push(resolve))
  }

  /** Resolves when whatever was sent to it before this has been read: it has asked itself, behind all others. */
  async caughtUp(): Promise<void> {
    const socket = connect(this.port, '127.0.0.1').setEncoding('latin1')
    socket.write(`GET ${MARK} HTTP/1.1\r\nHost: ${MARK.slice(1)}\r\n\r\n`)
    await once(socket, 'data')
    socket.destroy()
    this.seen.splice(
      this.seen.findIndex(({ text }) => text === `GET ${MARK}`),
      1,
    )
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }
}

class Reader {
  readonly #witness: Witness
  readonly #socket: Socket
  #text = ''
  #head: Head | undefined
  #body = 0
  #left: number | 'size' | 'trailers' | 'raw' | 'switching' = 0

  constructor(witness: Witness, socket: Socket) {
    this.#witness = witness
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#text += text
      while (this.#step());
    })
    socket.on('end', () => socket.end())
    socket.once('close', () => {
      if (this.#left === 'raw' || this.#left === 'switching') return
      if (this.#head !== undefined) witness.torn++
      else if (this.#text !== '') this.#fault('a head that broke off')
    })
  }

  #fault(what: string): false {
    this.#witness.faults.push(`${what}: ${JSON.stringify(this.#text.slice(0, 200))}`)
    this.#text = ''
    this.#socket.destroy()
    return false
  }

  /** One piece of what has come; false when more is needed. */
  #step(): boolean {
    if (this.#text === '') return false
    if (this.#left === 'raw') {
      this.#witness.seen.push({ text: `raw ${this.#text}`, fields: {} })
      this.#text = ''
      return false
    }
    if (this.#left === 'switching') return this.#fault('bytes before the 101')
    if (this.#head === undefined) return this.#begin()
    return this.#head.chunked ? this.#chunk(this.#head) : this.#plain(this.#head)
  }

  #begin(): boolean {
    const end = this.#text.indexOf('\r\n\r\n')
    if (end < 0) return false
    const head = parse(this.#text.slice(0, end))
    if (typeof head === 'string') return this.#fault(head)
    this.#text = this.#text.slice(end + 4)
    this.#head = head
    this.#body = 0
    this.#left = head.chunked ? 'size' : head.length
    if (head.fields['expect'] !== undefined) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    if (!head.chunked && head.length === 0) this.#whole(head)
    return true
  }

  #plain(head: Head): boolean {
    const part = this.#text.slice(0, Number(this.#left))
    this.#text = this.#text.slice(part.length)
    this.#body += part.length
    this.#left = Number(this.#left) - part.length
    if (this.#left === 0) this.#whole(head)
    return true
  }

  #chunk(head: Head): boolean {
    if (typeof this.#left === 'number') {
      if (this.#text.length < this.#left + 2) return false
      if (this.#text.slice(this.#left, this.#left + 2) !== '\r\n') return this.#fault('no CRLF behind a chunk')
      this.#body += this.#left
      this.#text = this.#text.slice(this.#left + 2)
      this.#left = 'size'
      return true
    }
    const end = this.#text.indexOf('\r\n')
    if (end < 0) return false
    const line = this.#text.slice(0, end)
    if (this.#left === 'size' ? !/^[0-9a-f]{1,8}$/i.test(line) : line !== '' && !FIELD.test(line))
      return this.#fault(`odd ${this.#left}`)
    this.#text = this.#text.slice(end + 2)
    if (this.#left === 'size') {
      const size = Number.parseInt(line, 16)
      this.#left = size === 0 ? 'trailers' : size
    } else if (line === '') this.#whole(head)
    else if (DECIDES.test(line)) return this.#fault(`the trailer ${line}`)
    return true
  }

  #whole(head: Head): void {
    const body = this.#body === 0 ? '' : ` +${this.#body}`
    this.#head = undefined
    this.#left = 0
    this.#witness.seen.push({ ...head, text: head.text + body })
    if (head.text === 'GET /switch' && head.fields['upgrade']?.toLowerCase() === 'websocket') {
      this.#left = 'switching'
      setTimeout(() => {
        this.#left = 'raw'
        this.#socket.write(SWITCHED)
      }, THINK_MS)
    } else this.#socket.write(ANSWER + (head.head ? '' : 'ok\n'))
  }
}

/** The head of a request, or what is wrong with it. */
function parse(text: string): Head | string {
  const [line = '', ...lines] = text.split('\r\n')
  const first = LINE.exec(line)?.[1]
  if (first === undefined) return `odd request line ${JSON.stringify(line.slice(0, 100))}`
  const fields: Record<string, string> = {}
  for (const each of lines) {
    const [, name, value = ''] = FIELD.exec(each) ?? []
    if (name === undefined) return `odd field ${JSON.stringify(each.slice(0, 100))}`
    const lower = name.toLowerCase()
    if (Object.hasOwn(fields, lower) && ['host', 'content-length', 'transfer-encoding'].includes(lower))
      return `twice ${lower}`
    fields[lower] = Object.hasOwn(fields, lower) ? `${fields[lower]}, ${value}` : value
  }
  const { 'content-length': length, 'transfer-encoding': encoding, host } = fields
  if (host === undefined || !/^[\w.:-]+$/.test(host)) return `odd Host ${host}`
  if (length !== undefined && encoding !== undefined) return 'a length and an encoding'
  if (length !== undefined && !/^(?:0|[1-9]\d*)$/.test(length)) return `odd length ${length}`
  if (encoding !== undefined && encoding !== 'chunked') return `odd encoding ${encoding}`
  return {
    text: first,
    fields,
    chunked: encoding !== undefined,
    length: Number(length ?? 0),
    head: first.startsWith('HEAD '),
  }
}
