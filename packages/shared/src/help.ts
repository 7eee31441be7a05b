/**
 * The help that yargs writes, less what says nothing: types and defaults in brackets, which each flag's own text tells
 * better, and the brackets around words that are wanted. `program` begins each command's line.
 */
export function plainHelp(help: string, program: 'edge' | 'agent'): string {
  const lines = help
    .replace(/(?:\s*\[(?:string|boolean|array|default: \[\])\])+$/gm, '')
    // As wide as before: what stands behind it is aligned.
    .replace(new RegExp(`^ {2}${program} .*?(?= {2})`, 'gm'), (command) => bare(command).padEnd(command.length))
    .replace(new RegExp(`^${program} .*$`, 'gm'), bare)
  return `${lines.trimEnd()}\n`
}

function bare(text: string): string {
  return text.replace(/\[([A-Z]+(?:\.\.)?)\]/g, '$1')
}
