import { configSchema } from '@engawa/agent/config'
import { EDGE_FILE } from '@engawa/edge/config'
import { z } from 'zod'

/** The schema files of deploy/, each with how its text is made. */
export const SCHEMAS: Readonly<Record<string, () => string>> = {
  'agent.schema.json': () => textOf('agent.yaml of Engawa', configSchema('.')),
  'edge.schema.json': () => textOf('edge.yaml of Engawa', EDGE_FILE),
}

/** What people type, in the version of JSON Schema that editors know best. */
function textOf(title: string, schema: z.ZodType): string {
  const made = z.toJSONSchema(schema, { io: 'input', target: 'draft-7', unrepresentable: 'any' })
  return `${JSON.stringify({ title, ...made }, undefined, 2)}\n`
}
