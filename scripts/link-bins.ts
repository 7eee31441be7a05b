// Makes `npx engawa-edge` and `npx engawa-agent` work in a clone. npm links commands when it installs, and passes over
// those that are not built yet; `npx` would then ask the registry for a stranger's package of that name.
import { chmodSync, existsSync, rmSync, symlinkSync } from 'node:fs'

const LINKS = 'node_modules/.bin'

for (const name of ['edge', 'agent']) {
  const program = `packages/${name}/dist/main.js`
  if (!existsSync(program)) continue
  // tsc writes plain files.
  chmodSync(program, 0o755)
  const link = `${LINKS}/engawa-${name}`
  rmSync(link, { force: true })
  symlinkSync(`../../${program}`, link)
}
