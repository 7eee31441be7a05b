import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { without } from '../support/tools.ts'

const DEPLOY = join(import.meta.dirname, '../../deploy')
const UNITS = ['engawa-edge.service', 'engawa-agent.service'] as const
/** Of ten; the lower the better. systemd calls 2.5 OK. */
const MOST = 2.5

function analyze(...args: readonly string[]): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['--no-pager', ...args], { encoding: 'utf8' })
  return { status, text: `${stdout}${stderr}` }
}

for (const unit of UNITS) {
  t.test(`${unit} leaves little to an intruder`, { skip: without('systemd-analyze') }, async (t) => {
    const { text } = analyze('security', '--offline=true', join(DEPLOY, unit))
    const exposure = Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1])
    t.comment(`${unit}: exposure ${exposure}`)
    t.ok(exposure < MOST, text)
  })

  t.test(`systemd finds nothing wrong with ${unit}`, { skip: without('systemd-analyze') }, async (t) => {
    // Its programs are not installed where this is tested; all else is as it is.
    const text = readFileSync(join(DEPLOY, unit), 'utf8').replaceAll(/(Exec\w+=)\/usr\/bin\/engawa-\w+/g, '$1/bin/true')
    const file = join(t.testdir(), unit)
    writeFileSync(file, text)
    t.strictSame(analyze('verify', '--man=no', file), { status: 0, text: '' })
  })

  t.test(`${unit} has no other right than low ports`, async (t) => {
    const text = readFileSync(join(DEPLOY, unit), 'utf8')
    const rights = [...text.matchAll(/^(?:Ambient|Bounding)?Capabilit\w+=(.*)$/gm)].map(([, right]) => right)
    t.ok(rights.every((right) => right === '' || right === 'CAP_NET_BIND_SERVICE'))
  })
}

t.test(
  'the file about pauses between starts goes beside either unit',
  { skip: without('systemd-analyze') },
  async (t) => {
    const folder = t.testdir({ 'engawa-agent.service.d': {} })
    copyFileSync(join(DEPLOY, 'backoff.conf'), join(folder, 'engawa-agent.service.d/backoff.conf'))
    const unit = readFileSync(join(DEPLOY, 'engawa-agent.service'), 'utf8').replaceAll(
      '/usr/bin/engawa-agent',
      '/bin/true',
    )
    writeFileSync(join(folder, 'engawa-agent.service'), unit)
    // An older systemd says that it does not know the two keys, and nothing else.
    const { text } = analyze('verify', '--man=no', join(folder, 'engawa-agent.service'))
    const others = text.split('\n').filter((line) => line !== '' && !/Restart(?:Steps|MaxDelaySec)/.test(line))
    t.same(others, [])
  },
)
