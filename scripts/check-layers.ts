// Fails when an import goes against the layers: wire <- mux <- carrier, stream <- edge, agent.
import { globSync, readFileSync } from 'node:fs'
import { violations } from './layers.ts'

const found = globSync('packages/*/{src,test}/**/*.ts').flatMap((file) => violations(file, readFileSync(file, 'utf8')))
for (const { file, line, specifier, why } of found) console.error(`${file}:${line} '${specifier}': ${why}`)
process.exitCode = found.length > 0 ? 1 : 0
