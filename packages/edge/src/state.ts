import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { EngawaError } from '@engawa/shared/errors'
import { openStore, type Store } from './store/store.ts'

/** The database in the edge's folder. */
export function storePath(folder: string): string {
  return join(folder, 'edge.db')
}

/** Opens the store of an edge that has run here; never makes one. Throws NO_STATE. */
export function openExisting(folder: string): Store {
  const path = storePath(folder)
  if (!readable(path)) {
    throw new EngawaError('NO_STATE', `no edge here (${folder}): sudo, or --data? A new edge is made by: edge run`, {
      ja: `ここ (${folder}) にはエッジがありません。sudo が必要か、--data の指定が必要ではありませんか? 新しく始めるには: edge run`,
    })
  }
  return openStore(path)
}

function readable(path: string): boolean {
  if (!existsSync(path)) return false
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
