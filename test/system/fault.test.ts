// A fault of the edge costs nobody else a connection. docs/decisions/0019
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../support/command.ts'
import { familyOf } from '../support/process.ts'
import { Talk } from '../support/talk.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

const FAULTY = ['--import', join(import.meta.dirname, '../support/faulty.ts')]
/** As faults.ts has it. */
const MOST = 100

t.test('a fault of the edge', { skip: without('curl') }, async (t) => {
  const here = await world(t, { nodeFlags: FAULTY, survivesFaults: true })
  const services = await here.services('web')
  await here.join('home')
  const { tunnels } = await here.publish('home', [String(services.http), `tcp://${services.echo}`])
  const [web, echo] = tunnels
  const answer = async (): Promise<string> => (await run(here.curl(web?.name ?? '', '/', '--include'))).stdout
  const newest = (): number => familyOf(here.edge.pid).at(-1) ?? 0
  const open = (): Promise<Talk> => Talk.open(echo?.port ?? 0)
  const talks = [await open()]
  const goOn = async (t: Test): Promise<void> => {
    for (const talk of talks) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await talk.say()
      t.equal(talk.failure, undefined)
    }
    t.match(await answer(), /^HTTP\/1\.1 200 /)
  }

  await t.test('what is new goes to a fresh process, what runs goes on', async (t) => {
    const first = newest()
    const after = here.edge.mark
    process.kill(first, 'SIGUSR2')
    await here.edge.until('ready', { after })
    t.not(newest(), first)
    await here.edge.untilLogged(/thrown where nobody catches/)
    await goOn(t)
    const { generations } = JSON.parse((await here.edgeDo('status', '--json')).stdout)
    t.match(generations, [{ state: 'draining' }, { state: 'serving' }])
  })

  await t.test('another one beside it is outlived, too', async (t) => {
    talks.push(await open())
    const second = newest()
    process.kill(second, 'SIGQUIT')
    await here.edge.untilLogged(/rejected where nobody listens/)
    await goOn(t)
    t.equal(newest(), second, 'two processes are enough')
    const after = here.edge.mark
    talks.shift()?.close()
    await here.edge.until('ready', { after })
    t.not(newest(), second, 'once the first one has left, a fresh one comes')
    await goOn(t)
  })

  await t.test(`after ${MOST} of them the process is beyond help: the others are not`, async (t) => {
    talks.push(await open())
    const after = here.edge.mark
    for (let faults = 1; faults <= MOST; faults++) {
      process.kill(newest(), 'SIGUSR2')
      // oxlint-disable-next-line no-await-in-loop -- signals that wait become one
      await here.edge.untilLogged(new RegExp(`"faults":${faults}\\b`), { times: faults === 1 ? 3 : 1 })
    }
    await here.edge.until('ready', { after })
    // Its own stream has gone with it.
    talks.pop()?.close()
    await goOn(t)
  })
})
