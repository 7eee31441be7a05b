/** One row of the table: bytes that a visitor sends on one connection, followed by its FIN. */
export interface Row {
  readonly name: string
  /** The section that decides the outcome: of an RFC, or `promises` for rules of our own that are stricter. */
  readonly rule: string
  /** Latin-1: each character is a byte. */
  readonly bytes: string
  /** Status of each answer, in order; none when the connection is cut. */
  readonly answers: readonly number[]
  /** The whole requests that the service counts: `METHOD target`, with ` +N` for N bytes of body. One that broke off is none. */
  readonly sees: readonly string[]
  /** Fields of the last request that the service sees, lower case; undefined: it must not be there. */
  readonly fields?: Readonly<Record<string, string | undefined>>
  /** Its last request breaks off: the service may see the beginning of it, or nothing. */
  readonly tears?: boolean
  /** Where Node's parser alone reads: it reads ahead, and says less of what it does not take behind another request. */
  readonly byNode?: Partial<Pick<Row, 'answers' | 'fields'>>
}

export const NAME = 'web.tunnel.test'
export const HOST: string = `Host: ${NAME}\r\n`
/** The request that no trick may bring to the service. */
export const SMUGGLED: string = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`

export function get(target: string, fields: string = HOST): string {
  return `GET ${target} HTTP/1.1\r\n${fields}\r\n`
}

export function post(fields: string, body: string): string {
  return `POST /p HTTP/1.1\r\n${HOST}${fields}\r\n${body}`
}

/** Refused with one answer; the service sees nothing. */
export function bad(name: string, rule: string, bytes: string, status: number = 400): Row {
  return { name, rule, bytes, answers: [status], sees: [] }
}

/** Passed on, each request answered with 200. */
export function good(
  name: string,
  rule: string,
  bytes: string,
  sees: readonly string[],
  { answers = sees.map(() => 200), ...more }: Partial<Pick<Row, 'fields' | 'answers' | 'byNode' | 'tears'>> = {},
): Row {
  return { name, rule, bytes, answers, sees, ...more }
}

/** Cut off without an answer: a body that stops making sense is never answered as if it were whole. */
export function torn(name: string, rule: string, bytes: string): Row {
  return { name, rule, bytes, answers: [], sees: [] }
}
