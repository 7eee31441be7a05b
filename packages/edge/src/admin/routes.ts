import { METRICS_TYPE } from '@engawa/shared/metrics'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Office } from './office.ts'
import {
  agentReport,
  doneReport,
  errorReport,
  healthReport,
  invitationReport,
  invitationRequest,
  nameParameter,
  reloadReport,
  renameRequest,
  statusReport,
  tunnelReport,
  upgradeReport,
} from './schemas.ts'

const refusals = { '4xx': errorReport, '5xx': errorReport }

/** The API's paths, the same on TCP and on the Unix socket. */
export const routes: (office: Office) => FastifyPluginAsyncZod = (office) => async (app) => {
  app.get(
    '/api/health',
    {
      config: { open: true },
      schema: { summary: 'Whether it serves', security: [], response: { 200: healthReport, 503: healthReport } },
    },
    async (_request, reply) => {
      const { serves } = await office.status()
      return reply.code(serves ? 200 : 503).send({ status: serves ? ('serving' as const) : ('stopping' as const) })
    },
  )
  app.get(
    '/api/status',
    { schema: { summary: 'Health in one screen', response: { 200: statusReport, ...refusals } } },
    async () => office.status(),
  )
  app.get(
    '/metrics',
    { schema: { summary: 'Figures, as a Prometheus reads them', response: { 200: z.string(), ...refusals } } },
    async (_request, reply) => reply.type(METRICS_TYPE).send(await office.metrics()),
  )
  app.get(
    '/api/agents',
    { schema: { summary: 'Every agent that has joined', response: { 200: z.array(agentReport), ...refusals } } },
    async () => office.agents(),
  )
  app.get(
    '/api/tunnels',
    { schema: { summary: 'Tunnels, live and reserved', response: { 200: z.array(tunnelReport), ...refusals } } },
    async () => office.tunnels(),
  )
  app.post(
    '/api/invitations',
    {
      schema: {
        summary: 'Make a join line for one agent',
        body: invitationRequest,
        response: { 201: invitationReport, ...refusals },
      },
    },
    async (request, reply) => reply.code(201).send(await office.invite(request.body)),
  )
  app.post(
    '/api/agents/:name/revoke',
    {
      schema: {
        summary: 'Cut an agent off at once, for good',
        params: nameParameter,
        response: { 200: doneReport, ...refusals },
      },
    },
    async ({ params: { name } }) => ({ name: await office.revoke(name) }),
  )
  app.post(
    '/api/agents/:name/rename',
    {
      schema: {
        summary: 'Give an agent another name',
        params: nameParameter,
        body: renameRequest,
        response: { 200: doneReport, ...refusals },
      },
    },
    async ({ params, body }) => ({ name: await office.rename(params.name, body.name) }),
  )
  app.post(
    '/api/reload',
    { schema: { summary: 'Read the configuration again', response: { 200: reloadReport, ...refusals } } },
    async () => {
      const { applied, later } = await office.reload()
      return { applied: [...applied], later: [...later] }
    },
  )
  app.post(
    '/api/upgrade',
    { schema: { summary: 'Let the installed file take over', response: { 200: upgradeReport, ...refusals } } },
    (request) => {
      // A slow machine takes its time; whoever asked is told.
      request.raw.socket.setTimeout(0)
      return office.upgrade()
    },
  )
}
