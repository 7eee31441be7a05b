import {
  coversRange,
  formatRanges,
  mergeRanges,
  overlap,
  type PortRange,
  parsePort,
  parsePortRange,
  parsePortRanges,
} from '@engawa/shared/ports'
import fc from 'fast-check'
import t from 'tap'

t.test('ports and ranges are read', async (t) => {
  t.equal(parsePort('65535'), 65_535)
  t.same(parsePortRange('22'), [22, 22])
  t.same(parsePortRange('10000-10010'), [10_000, 10_010])
  t.same(parsePortRanges('3000-3010, 22,3005-3020 3021'), [
    [22, 22],
    [3000, 3021],
  ])
  t.same(parsePortRanges(''), [])
})

for (const text of ['0', '65536', '', '-1', '1-', '-', '5-4', '1-2-3', '0x10', '1.5', '１', '1-65536', '000022']) {
  t.test(`${JSON.stringify(text)} is no port`, async (t) => {
    t.throws(() => parsePortRange(text), { code: 'FLAG_INVALID', message: /write 1 to 65535/ })
  })
}

const range = fc
  .tuple(fc.integer({ min: 1, max: 300 }), fc.nat(20))
  .map(([from, more]): PortRange => [from, from + more])

function portsOf(list: readonly PortRange[]): number[] {
  return Array.from({ length: 400 }, (_, port) => port).filter((port) => list.some(([a, b]) => a <= port && port <= b))
}

t.test('merging keeps exactly the same ports, in order and apart', async () => {
  fc.assert(
    fc.property(fc.array(range), (ranges) => {
      const merged = mergeRanges(ranges)
      const apart = merged.every(([from], index) => index === 0 || from > (merged[index - 1]?.[1] ?? 0) + 1)
      return apart && portsOf(merged).join() === portsOf(ranges).join()
    }),
  )
})

t.test('ranges survive being written and read', async () => {
  fc.assert(
    fc.property(fc.array(range), (ranges) => {
      const merged = mergeRanges(ranges)
      return formatRanges(parsePortRanges(formatRanges(merged))) === formatRanges(merged)
    }),
  )
})

t.test('cover and overlap', async (t) => {
  t.ok(coversRange([[1, 10]], [1, 10]))
  t.notOk(coversRange([[1, 10]], [10, 11]))
  t.ok(overlap([1, 10], [10, 12]))
  t.notOk(overlap([1, 10], [11, 12]))
})
