// tsc writes plain files; the programs must be executable to be linked as commands.
import { chmodSync, existsSync } from 'node:fs'

for (const bin of ['packages/edge/dist/main.js', 'packages/agent/dist/main.js']) {
  if (existsSync(bin)) chmodSync(bin, 0o755)
}
