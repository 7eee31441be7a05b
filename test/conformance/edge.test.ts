import t from 'tap'
import { world } from '../support/world.ts'
import { ask } from './ask.ts'
import { REQUESTS } from './requests.ts'
import { HOST, NAME } from './row.ts'
import { Witness } from './witness.ts'

const limits = 'limits:\n  perAddress: { connections: 1000, newPerSecond: 100000, burst: 100000 }\n'
const config = `${t.testdir({ 'edge.yaml': limits })}/edge.yaml`
const here = await world(t, { shim: true, edgeFlags: ['--config', config] })
const witness = await Witness.open()
t.teardown(() => witness.close())
await here.join('home')
await here.publish('home', String(witness.port), '--name', NAME.split('.')[0] ?? '')
const [host = '', port = ''] = here.http.split(':')
const edge = { host, port: Number(port) }
const SENTINEL = `GET /sentinel HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`

/** Whatever was on its way to the service before this is there after it. */
async function settled(): Promise<void> {
  await ask(edge, SENTINEL)
  await witness.quiet()
}

await settled()
witness.seen.length = 0

for (const [family, rows] of Object.entries(REQUESTS)) {
  t.test(`${family}: ${rows.length} requests`, async (t) => {
    for (const { name, rule, bytes, answers, sees, fields = {} } of rows) {
      // oxlint-disable-next-line no-await-in-loop -- what the service sees must belong to this row
      const heard = await ask(edge, bytes)
      // oxlint-disable-next-line no-await-in-loop -- as above
      await settled()
      const torn = witness.torn
      witness.torn = 0
      const seen = witness.seen.splice(0).filter(({ text }) => text !== 'GET /sentinel')
      const label = `${name} (${rule})`
      t.strictSame(witness.faults.splice(0), [], `${label}: nothing odd reaches the service`)
      t.strictSame(heard.answers, answers, `${label}: the answers`)
      if (answers.length > 0) t.equal(torn, 0, `${label}: nothing breaks off`)
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
