import { join } from 'node:path'
import { joinEdge } from '@engawa/agent/join'
import t from 'tap'
import { SmallEdge } from '../support/edge.ts'
import { temporaryFolder } from '../support/folder.ts'
import { AgentProcess, runAgent } from '../support/process.ts'

t.test('a name in the script it was typed in is shown and found so', async (t) => {
  const edge = await SmallEdge.start(t)
  const folder = join(temporaryFolder(t), 'data')
  await joinEdge(folder, edge.joinLine)
  const ask = (...line: string[]) => runAgent(t, [...line, '--data', folder])
  const running = new AgentProcess(t, ['expose', '8080', '9090', '--balance', '--name', '縁側', '--data', folder])
  await running.line((line) => line === 'http://xn--2yq632i.localhost:1 (縁側.localhost) -> http://127.0.0.1:8080')
  t.match(await ask('ls'), { code: 0, out: /^縁側 \(xn--2yq632i\) +http:\/\/xn--2yq632i\.localhost:1 /m })
  t.match(await ask('rm', '縁側', '--lang', 'ja'), { out: /^縁側 \(xn--2yq632i\) の公開.*agent release xn--2yq632i$/ })
  await running.line((line) => line === '縁側 (xn--2yq632i) is no longer published')
})
