import type { PublicWeb } from '../admit.ts'
import type { EdgeSettings } from '../config.ts'
import type { PublicTls } from './open.ts'

/** What visitors over HTTP are told of certificates. `port`: of HTTPS as visitors see it, once that listens. */
export function publicWeb(
  { challenges, trusts }: Pick<PublicTls, 'challenges' | 'trusts'>,
  { httpsRedirect, hstsMs }: Pick<EdgeSettings, 'httpsRedirect' | 'hstsMs'>,
  port: () => number | undefined,
): PublicWeb {
  return {
    challenge: (host, path) => challenges.answer(host, path),
    secureUrl: (host, target) => {
      const to = port()
      if (!httpsRedirect || to === undefined || !trusts(host)) return undefined
      return `https://${host}${to === 443 ? '' : `:${to}`}${target}`
    },
    strictTransport: (host) =>
      hstsMs === undefined || !trusts(host) ? undefined : `max-age=${Math.floor(hstsMs / 1000)}`,
  }
}
