import t from 'tap'
import { run } from '../support/command.ts'
import { without } from '../support/tools.ts'
import { world } from '../support/world.ts'

t.test(
  'wildcard names, paths, the bare address and a path in the target, from a visitor’s side',
  {
    skip: without('curl'),
  },
  async (t) => {
    const here = await world(t, { domain: 'tunnel.test', edgeFlags: ['--public-host', '127.0.0.1'] })
    const services = await here.services()
    await here.join('home')
    const target = String(services.http)
    await here.publish('home', target, '--name', '*.lab')
    await here.publish('home', `${target}/echo`, '--name', 'base')
    await here.publish(
      'home',
      `127.0.0.1:${target}`,
      '--name',
      'api',
      '--host',
      'web.tunnel.test',
      '--path',
      '/api',
      '--strip-path',
      '--default',
    )
    const asked = async (host: string, path: string): Promise<object> => {
      const url = `http://${here.http}${path}`
      const { stdout } = await run([
        'curl',
        '--silent',
        '--noproxy',
        '*',
        '--header',
        'Accept: application/json',
        '--header',
        `Host: ${host}`,
        url,
      ])
      return JSON.parse(stdout) as object
    }
    t.match(await asked('x.lab.tunnel.test', '/a'), { url: '/a', headers: { host: 'x.lab.tunnel.test' } })
    t.match(await asked('base.tunnel.test', '/a?b=c'), { url: '/echo/a?b=c' })
    const stripped = { url: '/a?b=c', headers: { 'x-forwarded-prefix': '/api' } }
    t.match(await asked('web.tunnel.test', '/api/a?b=c'), stripped)
    t.match(await asked('tunnel.test', '/api/a?b=c'), { url: '/a?b=c' }, 'the bare address')
    t.match(await asked('tunnel.test', '/other'), { code: 'HOST_UNKNOWN' }, 'a path of its own holds there, too')
    t.match(await asked('y.x.lab.tunnel.test', '/'), { code: 'HOST_UNKNOWN' })
  },
)
