import { readFileSync } from 'node:fs'
import { type RequestOptions, request } from 'node:http'
import { join } from 'node:path'
import type { World } from './world.ts'

/** What an edge or agent tells a Prometheus. */
export class Figures {
  readonly #text: string

  private constructor(text: string) {
    this.#text = text
  }

  static async ofEdge(here: World): Promise<Figures> {
    const authorization = `Bearer ${readFileSync(join(here.edgeData, 'admin.token'), 'utf8').trim()}`
    const [host, port] = here.admin.split(':')
    return new Figures(await ask({ host, port, headers: { authorization } }))
  }

  static async ofAgent(here: World, who: string): Promise<Figures> {
    const socketPath = join(here.agentData(who), 'agent.sock')
    return new Figures(await ask({ socketPath, headers: { host: 'agent' } }))
  }

  /** `count('engawa_edge_refusals_total{code="BLOCKED"}')`; 0 where there is no such line. */
  count(series: string): number {
    const line = this.#text.split('\n').find((each) => each.startsWith(`${series} `))
    return Number(line?.slice(series.length + 1) ?? 0)
  }
}

/** On a connection of its own: a kept one may end, with its edge, just as it is asked again. */
function ask(where: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request({ ...where, path: '/metrics', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => (text += part))
      response.on('end', () => resolve(text))
      response.on('error', reject)
    })
    asking.on('error', reject).end()
  })
}
