import { bad, get, good, HOST, type Row } from '../row.ts'

const field = (line: string): string => get('/x', `${HOST}${line}\r\n`)
const passes = (name: string, rule: string, line: string, fields: NonNullable<Row['fields']>): Row =>
  good(name, rule, field(line), ['GET /x'], { fields })

/** RFC 9112 §5, RFC 9110 §5: field lines that are no field lines. */
export const FIELDS: readonly Row[] = [
  bad('a blank before the colon', 'RFC 9112 §5.1', field('X : y')),
  bad('a tab before the colon', 'RFC 9112 §5.1', field('X\t: y')),
  bad('a fold', 'RFC 9112 §5.2', field('X: y\r\n z')),
  bad('a fold by a tab', 'RFC 9112 §5.2', field('X: y\r\n\tz')),
  bad('a fold of blanks', 'RFC 9112 §5.2', field('X: y\r\n  ')),
  bad('a bare LF in a value', 'RFC 9110 §5.5', field('X: y\nz')),
  bad('a bare CR in a value', 'RFC 9110 §5.5', field('X: y\rz')),
  bad('a field that ends in LF', 'RFC 9112 §2.2', get('/x', `${HOST}X: y\n`)),
  bad('CR CR LF', 'RFC 9112 §2.2', field('X: y\r')),
  bad('the head ends in LF LF', 'RFC 9112 §2.2', `GET /x HTTP/1.1\r\n${HOST}\n`),
  bad('NUL in a value', 'RFC 9110 §5.5', field('X: y\0z')),
  bad('NUL in a name', 'RFC 9110 §5.6.2', field('X\0: y')),
  bad('a control in a value', 'RFC 9110 §5.5', field('X: y\x01z')),
  bad('DEL in a value', 'RFC 9110 §5.5', field('X: y\x7fz')),
  bad('no colon', 'RFC 9112 §5', field('X')),
  bad('no name', 'RFC 9112 §5', field(': y')),
  bad('a blank in a name', 'RFC 9110 §5.6.2', field('X Y: z')),
  bad('a bracket in a name', 'RFC 9110 §5.6.2', field('X(Y): z')),
  bad('an at in a name', 'RFC 9110 §5.6.2', field('X@Y: z')),
  bad('quotes in a name', 'RFC 9110 §5.6.2', field('"X": z')),
  bad('a byte above ASCII in a name', 'RFC 9110 §5.6.2', field('X\xe9: z')),
  bad('a name of a slash', 'RFC 9110 §5.6.2', field('/: z')),
  bad('101 fields', 'RFC 9110 §5.4', get('/x', HOST + 'a: b\r\n'.repeat(100)), 431),
  bad('a value of 17,000 bytes', 'RFC 9110 §5.4', field(`X: ${'y'.repeat(17_000)}`), 431),
  bad('a name of 17,000 bytes', 'RFC 9110 §5.4', field(`${'x'.repeat(17_000)}: y`), 431),
  passes('a value above ASCII', 'RFC 9110 §5.5', 'X: \xe9', { x: '\xe9' }),
  passes('an empty value', 'RFC 9110 §5.5', 'X:', { x: '' }),
  passes('blanks around a value', 'RFC 9112 §5.1', 'X: \t y \t', { x: 'y' }),
  passes('a colon in a value', 'RFC 9110 §5.5', 'X: :y:', { x: ':y:' }),
  passes('every letter that a name may have', 'RFC 9110 §5.6.2', "!#$%&'*+.^`|~9aZ: y", { "!#$%&'*+.^`|~9az": 'y' }),
  ...['X_Forwarded_For', 'X-Forwarded_For', 'x_real_ip', 'X_REAL-IP', 'Forwarded_', 'X_Y', '_'].map((name) =>
    bad(`an alias: ${name}`, 'promises', field(`${name}: 6.6.6.6`)),
  ),
  bad('an expectation that nobody knows', 'RFC 9110 §10.1.1', field('Expect: 200-maybe')),
  bad('two expectations', 'RFC 9110 §10.1.1', field('Expect: 100-continue, other')),
]
