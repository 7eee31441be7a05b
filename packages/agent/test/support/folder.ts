import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** A folder with a short path: the path of a Unix socket has room for 107 bytes. */
export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'engawa-agent-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
