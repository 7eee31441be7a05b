import { choosePorts, intersect, type PortState, type PortWish, subtract } from '@engawa/edge/tunnel/ports'
import { coversRange, overlap, type PortRange } from '@engawa/shared/ports'
import fc from 'fast-check'
import t from 'tap'

const ALL: PortState = { permitted: [[1024, 65_535]], taken: [] }
const any: PortWish = { want: undefined, exact: false, count: 1, held: undefined }
const first = (): number => 0

const chosen: [what: string, wish: Partial<PortWish>, state: Partial<PortState>, got: PortRange][] = [
  ['the one wanted', { want: [2222, 2222] }, {}, [2222, 2222]],
  ['any other when it is taken', { want: [2222, 2222] }, { taken: [[2222, 2222]] }, [20_000, 20_000]],
  ['any other when it is not allowed', { want: [22, 22] }, {}, [20_000, 20_000]],
  ['what it had before', { want: [2222, 2222], held: [25_000, 25_000] }, {}, [25_000, 25_000]],
  ['the one insisted on', { want: [2222, 2222], exact: true, held: [25_000, 25_000] }, {}, [2222, 2222]],
  ['another when what it had is too small', { count: 2, held: [25_000, 25_000] }, {}, [20_000, 20_001]],
  ['a whole range in a row', { count: 11, want: [10_000, 10_010] }, {}, [10_000, 10_010]],
  [
    'a gap that is large enough',
    { count: 3 },
    {
      taken: [
        [20_001, 20_001],
        [20_004, 20_006],
      ],
    },
    [20_007, 20_009],
  ],
  ['one outside 20000–29999 where no other is allowed', {}, { permitted: [[4000, 4001]] }, [4000, 4000]],
]
for (const [what, wish, state, got] of chosen) {
  t.test(`a tunnel gets ${what}`, async (t) => {
    t.same(choosePorts({ ...any, ...wish }, { ...ALL, ...state }, first), got)
  })
}

const refused: [wish: Partial<PortWish>, state: Partial<PortState>, code: string, message: RegExp][] = [
  [{ want: [22, 22], exact: true }, {}, 'PORT_NOT_ALLOWED', /port 22 is not allowed/],
  [{ want: [2222, 2222], exact: true }, { taken: [[2222, 2222]] }, 'PORT_TAKEN', /port 2222 is held by another tunnel/],
  [{ want: [10_000, 10_010], exact: true, count: 5 }, {}, 'PORT_NOT_ALLOWED', /11 ports, the target has 5/],
  [{}, { permitted: [] }, 'PORT_NOT_ALLOWED', /no port allowed/],
  [{ count: 3 }, { permitted: [[1, 2]] }, 'PORT_NOT_ALLOWED', /no 3 ports in a row/],
  [{}, { permitted: [[4000, 4001]], taken: [[4000, 4001]] }, 'PORT_TAKEN', /no port free/],
]
for (const [wish, state, code, message] of refused) {
  t.test(`${code}: ${message.source}`, async (t) => {
    t.throws(() => choosePorts({ ...any, ...wish }, { ...ALL, ...state }), { code, message })
  })
}

const range = fc
  .tuple(fc.integer({ min: 1, max: 200 }), fc.nat(20))
  .map(([from, more]): PortRange => [from, from + more])
const ranges = fc.array(range, { maxLength: 8 })

t.test('what is chosen is permitted, in a row, and nobody else’s', async () => {
  fc.assert(
    fc.property(ranges, ranges, fc.integer({ min: 1, max: 5 }), (some, taken, count) => {
      const permitted = subtract(some, [])
      let got: PortRange
      try {
        got = choosePorts({ ...any, count }, { permitted, taken })
      } catch (error) {
        return (error as { code: string }).code.startsWith('PORT_')
      }
      return got[1] - got[0] + 1 === count && coversRange(permitted, got) && !taken.some((other) => overlap(other, got))
    }),
  )
})

t.test('subtracting and intersecting agree', async () => {
  fc.assert(
    fc.property(ranges, ranges, (a, b) => {
      const outside = subtract(a, b)
      return String(intersect(a, b)) === String(subtract(a, outside)) && intersect(outside, b).length === 0
    }),
  )
})
