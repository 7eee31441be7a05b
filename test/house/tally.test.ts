import t from 'tap'
import { tally } from '../../scripts/tally.ts'

const run = `TAP version 14
# Subtest: a.test.ts
    # Subtest: passes
        ok 1 - first assertion
        ok 2 - second assertion
        1..2
    ok 1 - passes
    # Subtest: fails
        not ok 1 - no
        1..1
    not ok 2 - fails
    ok 3 - needs nft # SKIP not root
    # Subtest: group
        # Subtest: inner one
            ok 1 - yes
            1..1
        ok 1 - inner one
        # Subtest: inner two
            ok 1 - yes
            1..1
        ok 2 - inner two
        1..2
    ok 4 - group
    1..4
not ok 1 - a.test.ts
`

t.test('innermost subtests count, assertions and groups do not', async (t) => {
  t.same(tally(`${run}1..1\n`), { passed: 3, failed: 1, skipped: [{ name: 'needs nft', why: 'not root' }] })
})

t.test('a file that dies without a failed test is one failure', async (t) => {
  const died = '# Subtest: b.test.ts\n    # Subtest: x\n        ok 1 - y\n        1..1\n    ok 1 - x\n    1..1\n'
  t.same(tally(`TAP version 14\n${died}not ok 1 - b.test.ts # time-out\n1..1\n`), { passed: 1, failed: 1, skipped: [] })
})

t.test('a skipped file is one skip', async (t) => {
  const skip = '# Subtest: c.test.ts\n    1..0 # SKIP no nft\nok 1 - c.test.ts # SKIP no nft\n1..1\n'
  t.same(tally(`TAP version 14\n${skip}`), { passed: 0, failed: 0, skipped: [{ name: 'c.test.ts', why: 'no nft' }] })
})
