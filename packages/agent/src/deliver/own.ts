import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { defaultFolder } from '@engawa/shared/folder'

/** Folders of Engawa's own on this machine, links resolved: keys, and sockets behind which there is no password. */
export function ownFolders(folder: string): readonly string[] {
  const all = [folder, defaultFolder('agent'), defaultFolder('edge'), '/var/lib/engawa/agent', '/var/lib/engawa/edge']
  return [...new Set(all.map(realPath))]
}

/** Where a path leads, links followed as far as it exists. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return dirname(path) === path ? path : join(realPath(dirname(path)), basename(path))
  }
}
