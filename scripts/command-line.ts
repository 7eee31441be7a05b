import { type ParseArgsConfig, parseArgs } from 'node:util'

/** Ends the process: one line on stderr, exit 2, as for every command line that is wrong. */
export function refuse(line: string): never {
  process.stderr.write(`${line}\n`)
  process.exit(2)
}

/** As `parseArgs`; refuses what the script does not know. */
export function commandLine<const Config extends ParseArgsConfig>(
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config)
  } catch (error) {
    return refuse((error as Error).message)
  }
}

/** Refuses words that no known name answers to; `fits` tells whether one does. */
export function demandKnown(
  words: readonly string[],
  known: readonly string[],
  fits: (word: string, name: string) => boolean = (word, name) => word === name,
): void {
  const unknown = words.filter((word) => !known.some((name) => fits(word, name)))
  if (unknown.length > 0) refuse(`${unknown.join(', ')}? There are ${known.join(', ')}`)
}
