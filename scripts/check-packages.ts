// Fails when a package would be published in a shape that Node or TypeScript cannot use. Needs a build.

import { existsSync, readFileSync } from 'node:fs'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'

for (const name of ['shared', 'edge', 'agent']) {
  const pkgDir = `packages/${name}`
  const pkg = JSON.parse(readFileSync(`${pkgDir}/package.json`, 'utf8')) as Record<string, unknown>
  const { messages } = await publint({ pkgDir, level: 'warning', strict: true })
  for (const message of messages) {
    // `tsc -b` alone makes no program to point at.
    if (message.code === 'FILE_DOES_NOT_EXIST' && message.path[0] === 'bin' && !existsSync(`${pkgDir}/dist/program`))
      continue
    console.error(`${pkgDir}: ${formatMessage(message, pkg, { color: false })}`)
    process.exitCode = 1
  }
}
