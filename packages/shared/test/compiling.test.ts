import { spawnSync } from 'node:child_process'
import t from 'tap'

t.test('V8 knows what it is asked to do sooner', async (t) => {
  t.match(process.versions.v8, /^1[34]\./, 'as compiling.ts has it: look whether a newer one knows the flags')
  const script = `import { compileSooner } from '@engawa/shared/compiling'; compileSooner(); console.log('done')`
  const args = ['-C', 'engawa-source', '--input-type=module-typescript', '-e', script]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: import.meta.dirname, encoding: 'utf8' })
  // A flag that a later V8 has dropped would be told on stderr by every process that serves.
  t.same({ status, stdout, stderr }, { status: 0, stdout: 'done\n', stderr: '' })
})
