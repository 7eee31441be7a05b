import { type FSWatcher, realpathSync, watch } from 'node:fs'
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
  const watchers = placesOf(file).flatMap((place) => watchPlace(place, later))
  process.on('SIGHUP', changed)
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
    process.off('SIGHUP', changed)
  }
}

/** The file and, where it is a link (as the packages make one into /etc), what it leads to. */
function placesOf(file: string): string[] {
  try {
    return [...new Set([file, realpathSync(file)])]
  } catch {
    return [file]
  }
}

function watchPlace(file: string, changed: () => void): FSWatcher[] {
  try {
    // The folder, not the file: editors replace the file, and a watch stays with the old one.
    const watcher = watch(dirname(file), (_, name) => {
      if (name === null || name === basename(file)) changed()
    })
    watcher.on('error', () => {})
    return [watcher]
  } catch {
    // No inotify left, or a file system without: SIGHUP still works.
    return []
  }
}
