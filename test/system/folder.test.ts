import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { seededHash, seededStream } from '../support/bytes.ts'
import { run, runHashed } from '../support/command.ts'
import { without } from '../support/tools.ts'
import { agentCommand, type World, world } from '../support/world.ts'

const MIB = 1024 * 1024

async function publicFolder(here: World): Promise<string> {
  const folder = here.folder('public')
  mkdirSync(folder)
  writeFileSync(join(folder, 'index.html'), '<h1>縁側</h1>')
  writeFileSync(join(folder, '.env'), 'SECRET')
  symlinkSync('/etc', join(folder, 'etc'))
  await writeFile(join(folder, 'film.bin'), seededStream('film', 24 * MIB))
  return folder
}

t.test('a folder through the tunnel', { skip: without('curl') }, async (t) => {
  const here = await world(t, { shim: true })
  const folder = await publicFolder(here)
  await here.join('home')
  const { tunnel, agent } = await here.publish('home', folder, '--name', 'site')
  t.match(tunnel, { name: 'site', protocol: 'http', target: folder })

  t.test('its files come with type, tag and ranges', async (t) => {
    const page = await run(here.curl('site', '/', '--include'))
    t.match(page.stdout, /^HTTP\/1.1 200 OK\r\n/)
    t.match(page.stdout, /content-type: text\/html; charset=utf-8/i)
    t.match(page.stdout, /etag: /i)
    t.match(page.stdout, /縁側/)
    const part = await runHashed(here.curl('site', '/film.bin', '--range', '1000000-1999999'))
    t.same([part.bytes, part.sha256], [1_000_000, seededHash('film', 1_000_000, 1_000_000)])
  })

  t.test('a download goes on over a cut carrier', async (t) => {
    const cut = here.shim?.cutAfter(8 * MIB)
    const whole = await runHashed(here.curl('site', '/film.bin'))
    await cut
    t.same([whole.code, whole.sha256], [0, seededHash('film', 24 * MIB)], whole.stderr)
    t.match((await run(here.curl('site', '/'))).stdout, /縁側/)
  })

  t.test('there is no way out of it', async (t) => {
    const ways = ['/.env', '/etc/passwd', '/etc/', '/../agent-home/agent.key', '/%2e%2e/agent-home/', '/%2fetc/passwd']
    for (const way of ways) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { stdout } = await run(here.curl('site', way, '--path-as-is', '--include'))
      t.match(stdout, /^HTTP\/1.1 40[034] /, way)
      t.notMatch(stdout, /SECRET|root:/)
    }
  })

  t.test('the status says whether it is there', async (t) => {
    const { stdout } = await here.agentDo('home', 'status', '--json')
    t.match(JSON.parse(stdout), { tunnels: [{ target: folder, service: { reachable: true } }] })
    await agent.stop()
  })

  t.test('a folder with keys of ours is refused', async (t) => {
    const exposed = await here.agentDo('home', 'expose', here.agentData('home'), '--json')
    t.equal(exposed.code, 3, exposed.stderr)
    t.match(JSON.parse(exposed.stdout.split('\n')[0] ?? ''), { event: 'refused', code: 'REACH_DENIED' })
  })

  t.test('agent.yaml names it from where the file is, and asks for a listing', async (t) => {
    const file = here.folder('agent.yaml')
    writeFileSync(file, 'tunnels:\n  - { target: ./public/, name: list, listing: true }\n')
    mkdirSync(join(folder, 'photos'))
    writeFileSync(join(folder, 'photos/one.jpg'), '')
    const up = here.start(
      'agent home',
      agentCommand('up', '--config', file, '--json', '--data', here.agentData('home')),
    )
    t.match(await up.until('tunnel'), { target: folder })
    t.match((await run(here.curl('list', '/photos/'))).stdout, 'href="./one.jpg"')
  })
})
