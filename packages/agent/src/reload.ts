import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

/** An editor writes a file in several steps; read it when they are over, milliseconds. */
const SETTLE_MS = 150

/** Calls `changed` after the file has been written or replaced, and on SIGHUP. The answer ends it. */
export function watchConfig(file: string, changed: () => void): () => void {
  let timer: NodeJS.Timeout | undefined
  const later = (): void => {
    clearTimeout(timer)
    timer = setTimeout(changed, SETTLE_MS)
  }
  let watcher: FSWatcher | undefined
  try {
    // The folder, not the file: editors replace the file, and a watch stays with the old one.
    watcher = watch(dirname(file), (_, name) => {
      if (name === null || name === basename(file)) later()
    })
    watcher.on('error', () => {})
  } catch {
    // No inotify left, or a file system without: SIGHUP still works.
  }
  process.on('SIGHUP', changed)
  return () => {
    clearTimeout(timer)
    watcher?.close()
    process.off('SIGHUP', changed)
  }
}
