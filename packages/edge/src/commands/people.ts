import { StorePeople } from '../admin/people.ts'
import { openCarrierCa } from '../identity/carrier-ca.ts'
import { openExisting } from '../state.ts'
import type { Context } from './context.ts'
import { askEdge } from './control.ts'

/** Asks the running edge, or, where none runs, its store directly. Throws NO_STATE, and what the edge refuses. */
export async function withPeople<Answer>(
  context: Context,
  ask: {
    readonly method: 'GET' | 'POST'
    readonly path: string
    readonly body?: unknown
    readonly offline: (people: StorePeople) => Answer
  },
): Promise<Answer> {
  const answer = await askEdge<Answer>(context, ask.method, ask.path, ask.body)
  if (answer !== undefined) return answer
  const { folder } = context
  const store = openExisting(folder)
  try {
    return ask.offline(new StorePeople({ store, pin: () => openCarrierCa(folder).pin }))
  } finally {
    store.close()
  }
}
