/** Lines of one failure's diagnostics that are shown. */
const MOST_LINES = 40

/**
 * What failed in a raw TAP text, to be read by a person: where, and what the test said of it.
 *
 * Reporters differ in what they leave out, most of all where nobody watches.
 */
export function failures(tap: string): string[] {
  const shown: string[] = []
  const titles: string[] = []
  const lines = tap.split('\n')
  for (const [index, line] of lines.entries()) {
    const depth = (line.length - line.trimStart().length) / 4
    const subtest = /^\s*# Subtest: (.*)$/.exec(line)
    if (subtest !== null) titles.splice(depth, Number.POSITIVE_INFINITY, subtest[1] ?? '')
    const failed = /^\s*not ok \d+(?: - (.*?))?(?: # time=.*)?$/.exec(line)
    if (failed === null) continue
    const title = failed[1] ?? ''
    const where = titles.slice(0, depth)
    const last = where.at(-1)
    const diagnostics = diagnosticsAfter(lines, index + 1)
    // A group that failed for what stands in it has been told already.
    if (diagnostics.length === 0 && titles[depth] === title) continue
    shown.push([`FAILED ${[...where, ...(last === title ? [] : [title])].join(' > ')}`, ...diagnostics].join('\n'))
  }
  return shown
}

function diagnosticsAfter(lines: readonly string[], from: number): string[] {
  if (lines[from]?.trim() !== '---') return []
  const end = lines.findIndex((line, index) => index > from && line.trim() === '...')
  return lines.slice(from + 1, Math.min(end < 0 ? lines.length : end, from + 1 + MOST_LINES))
}
