/** The right word that is nearest to what was typed, if it is near enough to have been meant: at most two slips, fewer than half its letters. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  let best: string | undefined
  let least = 3
  for (const word of words) {
    const slips = distance(typed.toLowerCase(), word)
    if (slips < least && slips * 2 < Math.max(word.length, typed.length)) {
      least = slips
      best = word
    }
  }
  return best
}

/** Levenshtein's, with a swap of neighbours as one slip. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let least = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, (before[j - 2] ?? 0) + 1)
      next.push(least)
    }
    before = row
    row = next
  }
  return row[b.length] ?? 0
}
