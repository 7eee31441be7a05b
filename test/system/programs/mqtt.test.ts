import { writeFileSync } from 'node:fs'
import t from 'tap'
import { freePort } from '../../../packages/edge/test/support/ports.ts'
import { run } from '../../support/command.ts'
import { findTool, without } from '../../support/tools.ts'
import { world } from '../../support/world.ts'

t.test('an MQTT broker', { skip: without('mosquitto', 'mosquitto_pub', 'mosquitto_sub') }, async (t) => {
  const here = await world(t, { shim: true })
  const port = await freePort()
  const config = here.folder('mosquitto.conf')
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\nlog_dest stderr\nlog_type all\n`)
  const broker = here.start('mosquitto', [findTool('mosquitto') ?? 'mosquitto', '-c', config])
  await broker.untilLogged(/ running/)
  await here.join('home')
  const { tunnel } = await here.publish('home', `tcp://${port}`, '--carriers', '1')
  const to = ['-h', '127.0.0.1', '-p', `${tunnel.port}`, '-t', 'home/door', '-q', '1'] as const
  const heard = run(['mosquitto_sub', ...to, '-i', 'listener', '-C', '3', '-W', '50'])
  await broker.untilLogged(/Sending SUBACK to listener/)
  for (const word of ['one', 'two', 'three']) {
    if (word === 'two') {
      const after = here.edge.mark
      here.shim?.reset()
      // oxlint-disable-next-line no-await-in-loop -- the listener's connection outlives the cut
      await here.edge.until('agent_resumed', { after })
    }
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { code, stderr } = await run(['mosquitto_pub', ...to, '-m', word])
    t.equal(code, 0, stderr)
  }
  const { stdout, stderr } = await heard
  t.equal(stdout, 'one\ntwo\nthree\n', stderr)
  t.equal(broker.log.filter((line) => line.includes('Received SUBSCRIBE from listener')).length, 1)
})
