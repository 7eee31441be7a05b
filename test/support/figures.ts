import { readFileSync } from 'node:fs'
import { request } from 'node:http'
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
    const answer = await fetch(`http://${here.admin}/metrics`, { headers: { authorization } })
    return new Figures(await answer.text())
  }

  static ofAgent(here: World, who: string): Promise<Figures> {
    const socketPath = join(here.agentData(who), 'agent.sock')
    return new Promise((resolve, reject) => {
      const asking = request({ socketPath, path: '/metrics', headers: { host: 'agent' } }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => (text += part))
        response.on('end', () => resolve(new Figures(text)))
      })
      asking.on('error', reject).end()
    })
  }

  /** `count('engawa_edge_refusals_total{code="BLOCKED"}')`; 0 where there is no such line. */
  count(series: string): number {
    const line = this.#text.split('\n').find((each) => each.startsWith(`${series} `))
    return Number(line?.slice(series.length + 1) ?? 0)
  }
}
