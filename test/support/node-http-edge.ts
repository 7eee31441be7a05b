// The edge's program as people run it, but for HTTP/1.1, which Node's parser alone reads: the other way, to be held against the first.
import { runProcess } from '../../packages/edge/src/process.ts'

await runProcess({ nodeHttp: true })
