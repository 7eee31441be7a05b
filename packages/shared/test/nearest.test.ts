import { nearest } from '@engawa/shared/nearest'
import t from 'tap'

t.test('the nearest word', async (t) => {
  t.equal(nearest('statsu', ['status', 'tunnels']), 'status')
  t.equal(nearest('EXPSE', ['expose', 'status']), 'expose')
  t.equal(nearest('--', ['a']), undefined)
  t.equal(nearest('zebra', ['status', 'run']), undefined)
})
