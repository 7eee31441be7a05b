import type { Row } from './row.ts'
import { CHUNKS } from './rows/chunks.ts'
import { CONNECTION } from './rows/connection.ts'
import { FIELDS } from './rows/fields.ts'
import { FORGING } from './rows/forging.ts'
import { FRAMING } from './rows/framing.ts'
import { HOSTS } from './rows/host.ts'
import { REQUEST_LINE } from './rows/request-line.ts'

/** Everything malformed, ambiguous or merely odd that we know to send, by family. */
export const REQUESTS: Readonly<Record<string, readonly Row[]>> = {
  'request line': REQUEST_LINE,
  Host: HOSTS,
  framing: FRAMING,
  chunks: CHUNKS,
  fields: FIELDS,
  forging: FORGING,
  connection: CONNECTION,
}
