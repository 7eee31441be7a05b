import { version } from '@engawa/edge/version'
import t from 'tap'

t.test('the version is a semantic one', async (t) => {
  t.match(version(), /^\d+\.\d+\.\d+(-[\w.]+)?$/)
})
