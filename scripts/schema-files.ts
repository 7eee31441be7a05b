import { configSchema } from '@engawa/agent/config'
import { EDGE_FILE } from '@engawa/edge/config'
import { editorSchema } from '@engawa/shared/config'

/** The schema files of deploy/, each with how its text is made. */
export const SCHEMAS: Readonly<Record<string, () => string>> = {
  'agent.schema.json': () => editorSchema('agent.yaml of Engawa', configSchema('.')),
  'edge.schema.json': () => editorSchema('edge.yaml of Engawa', EDGE_FILE),
}
