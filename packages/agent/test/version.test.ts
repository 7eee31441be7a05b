import { version } from '@engawa/agent/version'
import t from 'tap'

t.test('the version is a semantic one', async (t) => {
  t.match(version(), /^\d+\.\d+\.\d+(-[\w.]+)?$/)
})
