import type { IncomingHttpHeaders } from 'node:http'
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
/** A whole request has to be here within this, ms: a slow client holds a socket no longer. */
const REQUEST_MS = 10_000
const KEEP_ALIVE_MS = 5_000
/** Sockets at once; the API is for one machine's people and scripts. */
const CONNECTIONS = 256

/**
 * The admin API, not listening yet. Without `access` everything is allowed: that is for `admin.sock`, which only its owner can open.
 */
export async function adminServer(office: Office, log: Logger, access: Access | undefined): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    connectionTimeout: REQUEST_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 300 },
    exposeHeadRoutes: false,
    logger: false,
    // A path that cannot be decoded never reaches the error handler.
    frameworkErrors: (error, request, reply: FastifyReply) => {
      const { status, body } = answerOf(error, languageOf(request))
      void reply.code(status).send(body)
    },
  }).withTypeProvider<ZodTypeProvider>()
  app.server.maxConnections = CONNECTIONS
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
  return /^ja\b/i.test(request.headers['accept-language'] ?? '') ? 'ja' : 'en'
}
