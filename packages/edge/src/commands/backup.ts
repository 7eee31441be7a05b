import { backUp, restore as restoreFrom } from '../backup.ts'
import { type Context, jsonLine } from './context.ts'
import { EXIT } from './exits.ts'

/** `edge backup FILE`, also while the edge runs. */
export async function backup({ terminal, words, flags, folder, args }: Context): Promise<number> {
  const { file, files } = backUp(folder, args[0] ?? '')
  terminal.out(flags.json === true ? jsonLine({ event: 'backed_up', file, files }) : `${words.backedUp(file)}\n`)
  return EXIT.done
}

/** `edge restore FILE`, while none runs. */
export async function restore({ terminal, words, flags, folder, args }: Context): Promise<number> {
  const { files, before } = restoreFrom(folder, args[0] ?? '')
  terminal.out(
    flags.json === true
      ? jsonLine({ event: 'restored', data: folder, files })
      : `${words.restored(folder)}\n${before === undefined ? '' : `${words.restoredBefore(before)}\n`}`,
  )
  return EXIT.done
}
