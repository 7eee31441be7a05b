import { parseDuration, parseRate, parseSize } from '@engawa/shared/quantities'
import t from 'tap'

const right: [parse: (text: string) => number, text: string, value: number][] = [
  [parseDuration, '500ms', 500],
  [parseDuration, '30s', 30_000],
  [parseDuration, '10m', 600_000],
  [parseDuration, '2h', 7_200_000],
  [parseDuration, '7d', 604_800_000],
  [parseDuration, '1.5s', 1500],
  [parseDuration, '0s', 0],
  [parseSize, '64KiB', 65_536],
  [parseSize, '10MiB', 10_485_760],
  [parseSize, '12B', 12],
  [parseRate, '20mbit', 2_500_000],
  [parseRate, '1gbit', 125_000_000],
]
for (const [parse, text, value] of right) {
  t.test(`${text} is ${value}`, async (t) => {
    t.equal(parse(text), value)
  })
}

const wrong: [parse: (text: string) => number, text: string][] = [
  ...['', '5', 's', '5 s', '-5s', '5S', '5w', '1e3s', '٥s', '5s5s', '999999999999d'].map(
    (text): [typeof parseDuration, string] => [parseDuration, text],
  ),
  ...['64', '64kib', '64KIB', '10M'].map((text): [typeof parseSize, string] => [parseSize, text]),
  ...['20', '20Mbit', '20mbps'].map((text): [typeof parseRate, string] => [parseRate, text]),
]
for (const [parse, text] of wrong) {
  t.test(`${JSON.stringify(text)} is refused by ${parse.name}, with what is allowed`, async (t) => {
    t.throws(() => parse(text), { code: 'FLAG_INVALID', message: /write \d/, ja: /書いてください/ })
  })
}
