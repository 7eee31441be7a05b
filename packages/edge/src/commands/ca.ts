import { EngawaError } from '@engawa/shared/errors'
import { visitorsRoot } from '../identity/visitors-ca.ts'
import { openExisting } from '../state.ts'
import { type Context, jsonLine } from './context.ts'
import { EXIT } from './exits.ts'

/** `edge ca`: PEM on stdout, to be piped into a file. */
export async function ca({ terminal, words, flags, folder }: Context): Promise<number> {
  openExisting(folder).close()
  const certificate = visitorsRoot(folder)
  if (certificate === undefined) throw new EngawaError('NO_STATE', words.caNone, { ja: words.caNone })
  terminal.out(flags.json === true ? jsonLine({ certificate }) : certificate)
  return EXIT.done
}
