import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningAdmin, startAdmin } from '@engawa/edge/admin/listen'
import t, { type Test } from 'tap'
import { quiet } from '../support/edge.ts'
import { paperOffice } from './office.ts'

/** A short path: a socket's address has little room. */
function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'engawa-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

function ask(folder: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath: join(folder, 'admin.sock'), path: '/api/health', agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    asking.on('error', reject)
    asking.end()
  })
}

t.test('a process that ends after its work takes nothing from the next one, which is just starting', async (t) => {
  const folder = folderOf(t)
  const start = async (): Promise<RunningAdmin> => {
    const admin = await startAdmin({ folder, address: undefined, office: paperOffice(), log: quiet })
    t.teardown(() => admin.close())
    return admin
  }
  const first = await start()
  first.open()
  first.retire()
  const second = await start()
  second.open()
  t.equal(await ask(folder), 200)
  const third = await start()
  await first.close()
  t.equal(await ask(folder), 200)
  third.open()
  second.retire()
  t.equal(await ask(folder), 200)
  await second.close()
  t.equal(await ask(folder), 200)
  await third.close()
  t.notOk(existsSync(join(folder, 'admin.sock')))
  t.same(readdirSync(folder), ['admin.token'])
})
