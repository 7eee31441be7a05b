import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import { pageLanguage } from '@engawa/shared/prefers'
import type { Language } from '@engawa/shared/say'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import { version } from '../version.ts'
import type { Access } from './access.ts'
import { answer, answerOf } from './answers.ts'
import type { Office } from './office.ts'
import { routes } from './routes.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** May be read without the token. */
    open?: boolean
  }
}

/** The largest body, bytes: an invitation with 100 names of each kind fits. */
const BODY_BYTES = 96 * 1024
export interface AdminOptions {
  /** Undefined: everything is allowed. That is for `admin.sock`, which only its owner can open. */
  readonly access?: Access | undefined
  /** Takes what answers; gives the server that hears the questions. Undefined: one that never listens. */
  readonly listen?: (answer: (request: IncomingMessage, response: ServerResponse) => void) => Server
}

/** The admin API, ready to answer. */
export async function adminServer(
  office: Office,
  log: Logger,
  { access, listen }: AdminOptions = {},
): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_BYTES,
    ...(listen && { serverFactory: listen }),
    routerOptions: { maxParamLength: 300 },
    exposeHeadRoutes: false,
    logger: false,
    // A path that cannot be decoded never reaches the error handler.
    frameworkErrors: (error, request, reply: FastifyReply) => {
      const { status, body } = answerOf(error, languageOf(request))
      void reply.code(status).send(body)
    },
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler((error, request, reply) => {
    const { status, body } = answerOf(error, languageOf(request))
    if (status >= 500) log.error({ err: error, code: body.code, path: request.url }, 'admin request failed')
    return reply.code(status).send(body)
  })
  app.setNotFoundHandler((request, reply) => {
    const { status, body } = answer(404, 'PATH_UNKNOWN', `there is no ${request.method} of that path`)
    return reply.code(status).send(body)
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'",
    })
    access?.checkSource(request)
    if (request.routeOptions.config.open !== true) access?.checkToken(request)
  })
  await app.register(swagger, {
    openapi: {
      info: { title: 'Engawa edge', version: version() },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  })
  await app.register(routes(office))
  app.get('/api/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  await app.ready()
  return app
}

/** Our commands ask in the language of their user. */
function languageOf(request: { headers: IncomingHttpHeaders }): Language {
  return pageLanguage(request.headers['accept-language'])
}
