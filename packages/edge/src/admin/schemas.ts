import { z } from 'zod'
import { PROBLEMS } from '../tls/acme/problem.ts'

/** Times are ISO 8601 in UTC, counts of bytes are payload. One schema gives validation, types and OpenAPI. */

/** One carrier as measured at the edge; a figure that has not been measured is absent. */
export const carrierReport = z.object({
  carrier: z.int(),
  family: z.enum(['IPv4', 'IPv6']).optional(),
  /** Where it comes from. */
  remote: z.string(),
  rttMs: z.number().optional(),
  inFlightBytes: z.int(),
  /** Stream bytes that it carried for one that was lost. */
  resentBytes: z.int(),
  /** Age of the last proof of life. */
  heardMs: z.int(),
  suspect: z.boolean(),
})
export type CarrierReport = z.infer<typeof carrierReport>

export const agentReport = z.object({
  name: z.string(),
  /** away: its session lives on without a carrier, within the grace. */
  state: z.enum(['online', 'away', 'offline', 'revoked']),
  session: z.string().optional(),
  /** Address and port that its newest carrier comes from. */
  remote: z.string().optional(),
  carriers: z.int(),
  /** Since when it is in that state; absent if it has never been here. */
  since: z.string().optional(),
  joined: z.string().optional(),
  /** Names and ports that it holds, live or reserved. */
  tunnels: z.int(),
})
export type AgentReport = z.infer<typeof agentReport>

export const tunnelReport = z.object({
  name: z.string(),
  agent: z.string(),
  protocol: z.enum(['http', 'tcp', 'tls', 'udp']),
  public: z.string(),
  urls: z.array(z.string()),
  target: z.string(),
  /** Not live: reserved for its agent, which is away. */
  live: z.boolean(),
  received: z.int(),
  sent: z.int(),
  /** Datagrams (UDP). */
  dropped: z.int(),
  /** Requests (HTTP) or connections so far, and those open now. */
  total: z.int(),
  open: z.int(),
  /** Of its agent's session; none while that is away. */
  carriers: z.array(carrierReport),
  /** The last stretch, from the agent to the service, as the last visitor found it; absent before the first one. */
  service: z.object({ reachable: z.boolean(), code: z.string().optional(), ageMs: z.int() }).optional(),
})
export type TunnelReport = z.infer<typeof tunnelReport>

export const statusReport = z.object({
  serves: z.boolean(),
  draining: z.boolean(),
  version: z.string(),
  /** The process that holds the folder, and is to be signalled; those that serve are in `generations`. */
  pid: z.int(),
  started: z.string(),
  uptimeMs: z.int(),
  generation: z.int(),
  domain: z.string(),
  http: z.string(),
  https: z.string(),
  carrier: z.string(),
  admin: z.string(),
  data: z.string(),
  agents: z.object({ online: z.int(), known: z.int() }),
  /** The agents that are there or away within the grace, and what their carriers show. */
  links: z.array(z.object({ agent: z.string(), session: z.string(), carriers: z.array(carrierReport) })),
  tunnels: z.object({ live: z.int(), all: z.int() }),
  /** Certificates of a CA that the edge keeps or wants, and files with something wrong. */
  certificates: z.array(
    z.object({
      names: z.array(z.string()),
      /** End of the one that is shown. */
      until: z.string().optional(),
      problem: z.object({ kind: z.enum([...PROBLEMS, 'file']), host: z.string(), detail: z.string() }).optional(),
      /** When it is tried again. */
      nextTry: z.string().optional(),
    }),
  ),
  streams: z.int(),
  received: z.int(),
  sent: z.int(),
  memoryBytes: z.int(),
  /** The processes that serve: more than one while one that was upgraded finishes what runs. */
  generations: z.array(
    z.object({
      generation: z.int(),
      pid: z.int(),
      version: z.string(),
      state: z.enum(['starting', 'serving', 'draining']),
      agents: z.int(),
      streams: z.int(),
      memoryBytes: z.int(),
    }),
  ),
})
export type StatusReport = z.infer<typeof statusReport>

const words = z.array(z.string().max(253)).max(100)

export const invitationRequest = z.strictObject({
  name: z.string().min(1).max(253),
  /** As on the command line: 30m, 1h, 7d. */
  expires: z.string().max(20).optional(),
  names: words.optional(),
  ports: words.optional(),
  hosts: words.optional(),
})
export type InvitationRequest = z.infer<typeof invitationRequest>

export const invitationReport = z.object({
  name: z.string(),
  /** What to type at home. */
  line: z.string(),
  expires: z.string(),
  addresses: z.array(z.string()),
  /** From where those addresses can be reached. */
  reach: z.enum(['public', 'private', 'local']),
  /** There is an agent of that name: its key is replaced when the line is used. */
  replaces: z.boolean(),
})
export type InvitationReport = z.infer<typeof invitationReport>

export const renameRequest = z.strictObject({ name: z.string().min(1).max(253) })
export const nameParameter = z.object({ name: z.string().min(1).max(253) })
export const reloadReport = z.object({ applied: z.array(z.string()), later: z.array(z.string()) })
export const upgradeReport = z.object({ generation: z.int(), pid: z.int() })
export type UpgradeReport = z.infer<typeof upgradeReport>
export const doneReport = z.object({ name: z.string() })
export const healthReport = z.object({ status: z.enum(['serving', 'stopping']) })
export const errorReport = z.object({ code: z.string(), message: z.string() })
