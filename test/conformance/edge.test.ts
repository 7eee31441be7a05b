import { existsSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { world } from '../support/world.ts'
import { ask } from './ask.ts'
import { REQUESTS } from './requests.ts'
import { HOST, NAME } from './row.ts'
import { Witness } from './witness.ts'

const settings = `access_log: { file: access.log }
limits: { perAddress: { connections: 1000, newPerSecond: 100000, burst: 100000 } }
`
const config = `${t.testdir({ 'edge.yaml': settings })}/edge.yaml`
const here = await world(t, { shim: true, edgeFlags: ['--config', config] })
const witness = await Witness.open()
t.teardown(() => witness.close())
await here.join('home')
await here.publish('home', String(witness.port), '--name', NAME.split('.')[0] ?? '')
const [host = '', port = ''] = here.http.split(':')
const edge = { host, port: Number(port) }
const BY_NODE = process.env['ENGAWA_NODE_HTTP'] === '1'
const SENTINEL = `GET /sentinel HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`

/** Whatever was on its way to the service before this is there after it. */
async function settled(): Promise<void> {
  await ask(edge, SENTINEL)
  await witness.quiet()
}

await settled()
let counted = witness.seen.splice(0).length

for (const [family, rows] of Object.entries(REQUESTS)) {
  t.test(`${family}: ${rows.length} requests`, async (t) => {
    for (const row of rows) {
      const { name, rule, bytes, sees } = row
      const { answers, fields = {} } = BY_NODE ? { ...row, ...row.byNode } : row
      // oxlint-disable-next-line no-await-in-loop -- what the service sees must belong to this row
      const heard = await ask(edge, bytes)
      // oxlint-disable-next-line no-await-in-loop -- as above
      await settled()
      counted += witness.seen.filter(({ text }) => !text.startsWith('raw ')).length
      const torn = witness.torn
      witness.torn = 0
      const seen = witness.seen.splice(0).filter(({ text }) => text !== 'GET /sentinel')
      const label = `${name} (${rule})`
      t.strictSame(witness.faults.splice(0), [], `${label}: nothing odd reaches the service`)
      t.strictSame(heard.answers, answers, `${label}: the answers`)
      if (answers.length > 0 && row.tears !== true) t.equal(torn, 0, `${label}: nothing breaks off`)
      t.strictSame(
        seen.map(({ text }) => text),
        sees,
        `${label}: what the service counts`,
      )
      for (const [field, value] of Object.entries(fields))
        t.equal(seen.at(-1)?.fields[field], value, `${label}: ${field}`)
    }
  })
}

t.test('the service has counted exactly the requests that the access log says it answered', async (t) => {
  // As logrotate does it.
  const path = join(here.edgeData, 'access.log')
  renameSync(path, `${path}.1`)
  here.edge.signal('SIGHUP')
  // The front hears it and tells the generation: a request may still be told of in the old file.
  // oxlint-disable-next-line no-await-in-loop -- until there is a new one
  do await settled()
  while (!existsSync(path))
  counted += witness.seen.splice(0).length
  await here.edge.stop()
  const [old, fresh] = [readFileSync(`${path}.1`, 'utf8'), readFileSync(path, 'utf8')]
  const lines = (old + fresh).trimEnd().split('\n')
  const entries = lines.map((line) => JSON.parse(line) as { by: string; status: number; code?: string })
  t.equal(entries.filter(({ by }) => by === 'service').length, counted)
  for (const { by, code, status } of entries) if (by === 'edge') t.ok(code !== undefined && status >= 400)
  t.comment(`${entries.length} lines, ${counted} answered by the service`)
})
