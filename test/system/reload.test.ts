import { renameSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import t from 'tap'
import { connect, read } from '../support/socket.ts'
import { agentCommand, world } from '../support/world.ts'

t.test('agent.yaml changes, and what stands in both goes on', async (t) => {
  const here = await world(t)
  const { echo, bulk } = await here.services()
  await here.join('home')
  const file = here.folder('agent.yaml')
  const say = (...lines: readonly string[]): void => {
    writeFileSync(`${file}.new`, `tunnels:\n${lines.map((line) => `  - ${line}\n`).join('')}`)
    renameSync(`${file}.new`, file)
  }
  say(`{ target: "tcp://${echo}", name: stays }`, `{ target: "tcp://${bulk}", name: goes }`)
  const up = here.start('agent home', agentCommand('up', '--config', file, '--json', '--data', here.agentData('home')))
  const stays = await up.until((said) => said.event === 'tunnel' && said['name'] === 'stays')
  const visitor: Socket = await connect(Number(/:(\d+)$/.exec(String(stays['public']))?.[1]))
  const echoes = async (text: string): Promise<void> => {
    visitor.write(text)
    t.equal((await read(visitor, text.length)).toString(), text)
  }
  await echoes('before')
  const after = up.mark
  say(`{ target: "tcp://${echo}", name: stays }`, `{ target: "tcp://${bulk}", name: comes, allow: 127.0.0.0/8 }`)
  await up.until('reloaded', { after })
  await up.until((said) => said.event === 'removed' && said['name'] === 'goes', { after })
  await up.until((said) => said.event === 'tunnel' && said['name'] === 'comes', { after })
  await echoes('after')
  t.notOk(up.events.slice(after).some(({ event, name }) => name === 'stays' && event !== 'check'))
  visitor.destroy()
})
