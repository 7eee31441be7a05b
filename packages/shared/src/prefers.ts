import type { Language } from './say.ts'

/** The language of a page: English or Japanese, as an Accept-Language asks for it. */
export function pageLanguage(field: string | undefined): Language {
  return prefers(field, ['en', 'ja']) === 'ja' ? 'ja' : 'en'
}

/** The best of `offers` by a field of qualities (RFC 9110 §12.4.2, §12.5); the first where the visitor does not care, or nothing fits. */
export function prefers(field: string | undefined, offers: readonly string[]): string | undefined {
  const ranges = (field ?? '*').slice(0, 1024).split(',').map(parseRange)
  const ranked = offers
    .map((offer) => ({ offer, ...fitOf(offer, ranges) }))
    .filter(({ quality }) => quality > 0)
    .toSorted((a, b) => b.quality - a.quality || b.precision - a.precision || a.position - b.position)
  return (ranked[0] ?? { offer: offers[0] }).offer
}

interface Range {
  readonly range: string
  readonly quality: number
}

function parseRange(part: string): Range {
  const [range = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
  const q = parameters.find((text) => text.startsWith('q='))
  const quality = q === undefined ? 1 : Number(q.slice(2))
  return { range, quality: quality >= 0 && quality <= 1 ? quality : 0 }
}

/** The most precise range decides. */
function fitOf(offer: string, ranges: readonly Range[]): { quality: number; precision: number; position: number } {
  let fit = { quality: 0, precision: 0, position: 0 }
  ranges.forEach(({ range, quality }, position) => {
    const exact = range === offer || range.startsWith(`${offer}-`)
    const precision = exact ? 3 : range === `${offer.split('/')[0]}/*` ? 2 : range === '*/*' || range === '*' ? 1 : 0
    if (precision > fit.precision) fit = { quality, precision, position }
  })
  return fit
}
