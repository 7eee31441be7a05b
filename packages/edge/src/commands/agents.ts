import { shownName } from '@engawa/shared/names'
import type { AgentReport } from '../admin/schemas.ts'
import { relative } from '../show/figures.ts'
import { table } from '../show/table.ts'
import { type Context, jsonLine } from './context.ts'
import { EXIT } from './exits.ts'
import { withPeople } from './people.ts'

/** `edge agents` */
export async function agents(context: Context): Promise<number> {
  const { terminal, words, language, flags } = context
  const list = await withPeople<AgentReport[]>(context, {
    method: 'GET',
    path: '/api/agents',
    offline: (people) => people.agents(),
  })
  if (flags.json === true) {
    for (const agent of list) terminal.out(jsonLine(agent))
    return EXIT.done
  }
  if (list.length === 0) {
    terminal.out(`${words.agentsNone}\n`)
    return EXIT.done
  }
  const { name, state, since, remote, tunnels } = words.agentsHeads
  const rows = list.map((agent) => [
    shownName(agent.name),
    words.agentStates[agent.state],
    agent.since === undefined ? words.agentNever : relative(Date.parse(agent.since), Date.now(), language),
    agent.remote ?? '-',
    String(agent.tunnels),
  ])
  terminal.out(table([name, state, since, remote, tunnels], rows))
  return EXIT.done
}

/** `edge agents revoke NAME` */
export async function revoke(context: Context): Promise<number> {
  const { terminal, words, args, flags } = context
  const [name = ''] = args
  const { name: done } = await withPeople<{ name: string }>(context, {
    method: 'POST',
    path: `/api/agents/${encodeURIComponent(name)}/revoke`,
    offline: (people) => people.revoke(name),
  })
  terminal.out(
    flags.json === true ? jsonLine({ event: 'revoked', agent: done }) : `${words.revoked(shownName(done, name))}\n`,
  )
  return EXIT.done
}

/** `edge agents rename OLD NEW` */
export async function rename(context: Context): Promise<number> {
  const { terminal, words, args, flags } = context
  const [from = '', to = ''] = args
  const { name } = await withPeople<{ name: string }>(context, {
    method: 'POST',
    path: `/api/agents/${encodeURIComponent(from)}/rename`,
    body: { name: to },
    offline: (people) => people.rename(from, to),
  })
  terminal.out(
    flags.json === true
      ? jsonLine({ event: 'renamed', from, agent: name })
      : `${words.renamed(from, shownName(name, to))}\n`,
  )
  return EXIT.done
}
