import t from 'tap'
import { world } from '../support/world.ts'
import { ask as askPlain } from './ask.ts'
import { ask } from './http2/ask.ts'
import { HTTP2_REQUESTS } from './http2/requests.ts'
import { HOST, NAME } from './row.ts'
import { Witness } from './witness.ts'

const settings = 'limits: { perAddress: { connections: 1000, newPerSecond: 100000, burst: 100000 } }\n'
const config = `${t.testdir({ 'edge.yaml': settings })}/edge.yaml`
const here = await world(t, { shim: true, edgeFlags: ['--config', config] })
const witness = await Witness.open()
t.teardown(() => witness.close())
await here.join('home')
await here.publish('home', String(witness.port), '--name', NAME.split('.')[0] ?? '')
const [host = '', port = ''] = here.http.split(':')
const where = { port: Number(here.https.split(':').at(-1)), servername: NAME }

/** Whatever was on its way to the service before this is there after it. */
async function settled(): Promise<void> {
  await askPlain({ host, port: Number(port) }, `GET /sentinel HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`)
  await witness.quiet()
}

await settled()
witness.seen.length = 0

for (const [family, rows] of Object.entries(HTTP2_REQUESTS)) {
  t.test(`HTTP/2, ${family}: ${rows.length} requests`, async (t) => {
    for (const { name, rule, frames, outcome, sees, fields = {} } of rows) {
      // oxlint-disable-next-line no-await-in-loop -- what the service sees must belong to this row
      const found = await ask(where, frames)
      // oxlint-disable-next-line no-await-in-loop -- as above
      await settled()
      const seen = witness.seen.splice(0).filter(({ text }) => text !== 'GET /sentinel')
      const label = `${name} (${rule})`
      t.strictSame(witness.faults.splice(0), [], `${label}: nothing odd reaches the service`)
      t.equal(found, outcome, `${label}: the answer`)
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
