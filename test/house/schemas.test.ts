import { readFileSync } from 'node:fs'
import t from 'tap'
import { SCHEMAS } from '../../scripts/schema-files.ts'

for (const [file, text] of Object.entries(SCHEMAS)) {
  t.test(`deploy/${file} is what the program reads (npm run schemas writes it)`, async (t) => {
    const kept = readFileSync(new URL(`../../deploy/${file}`, import.meta.url), 'utf8')
    t.same(JSON.parse(kept), JSON.parse(text()))
  })
}

t.test('the schema of agent.yaml knows every key of a tunnel and nothing else', async (t) => {
  const schema = JSON.parse(SCHEMAS['agent.schema.json']?.() ?? '') as Record<string, unknown>
  t.match(schema, {
    additionalProperties: false,
    properties: { tunnels: { items: { additionalProperties: false, required: ['target'] } } },
  })
})
