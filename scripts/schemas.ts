// Writes the JSON Schemas of agent.yaml and edge.yaml, for editors. A test compares them with what the programs read.
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { SCHEMAS } from './schema-files.ts'

for (const [file, text] of Object.entries(SCHEMAS)) {
  writeFileSync(fileURLToPath(new URL(`../deploy/${file}`, import.meta.url)), text())
}
