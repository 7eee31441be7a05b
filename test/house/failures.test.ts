import t from 'tap'
import { failures } from '../../scripts/failures.ts'

t.test('a failure is told once, with its place and what the test said', async (t) => {
  const tap = [
    'TAP version 14',
    '# Subtest: a.test.ts',
    '    # Subtest: the group',
    '        ok 1 - fine',
    '        not ok 2 - should be equal',
    '          ---',
    '          diff: |',
    '            -1',
    '            +2',
    '          ...',
    '        1..2',
    '        # failed 1 of 2 tests',
    '    not ok 1 - the group # time=3ms',
    '    1..1',
    'not ok 1 - a.test.ts # time=30ms',
    '# Subtest: b.test.ts',
    '    not ok 1 - timeout!',
    '      ---',
    '      expired: TAP',
    '      ...',
    'not ok 2 - b.test.ts # time=120000ms',
  ].join('\n')
  const [first, second, ...more] = failures(tap)
  t.match(first, /^FAILED a\.test\.ts > the group > should be equal\n[^]*-1\n[^]*\+2$/)
  t.match(second, /^FAILED b\.test\.ts > timeout!\n {6}expired: TAP$/)
  t.strictSame(more, [])
  t.strictSame(failures('TAP version 14\nok 1 - all\n1..1\n'), [])
})
