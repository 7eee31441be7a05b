import t from 'tap'
import { absentBuilds } from '../../scripts/lockfile.ts'

t.test('a build that the lockfile lacks is added for its own platform alone', async (t) => {
  const tool = { version: '1.2.3', dev: true, optionalDependencies: { '@tool/linux-x64-musl': '1.2.3' } }
  t.same(absentBuilds({ packages: { 'node_modules/tool': tool } }), [
    {
      path: 'node_modules/@tool/linux-x64-musl',
      entry: { version: '1.2.3', cpu: ['x64'], dev: true, libc: ['musl'], optional: true, os: ['linux'] },
    },
  ])
})

t.test('what stands in the lockfile and what names no platform is left alone', async (t) => {
  const tool = { optionalDependencies: { 'tool-linux-x64': '1.0.0', fsevents: '2.3.3' } }
  t.same(absentBuilds({ packages: { tool, 'node_modules/tool-linux-x64': { version: '1.0.0' } } }), [])
})
