import { EngawaError } from '@engawa/shared/errors'
import type { Bind } from '@engawa/shared/wire/control'
import { parseHost } from '../route/host.ts'
import type { Tunnel } from './tunnel.ts'

/** How requests are asked of the service, where it wants them otherwise than the visitor sent them. Throws FLAG_INVALID. */
export function parseRewrite(bind: Bind): Pick<Tunnel, 'hostHeader' | 'rewrite' | 'h2c'> {
  const { hostHeader, prefix = '', strip = false, h2c = false } = bind
  // It goes into every request: nothing but a host may stand there.
  if (hostHeader !== undefined && parseHost(hostHeader) === undefined)
    throw new EngawaError('FLAG_INVALID', 'a Host is a name or an address, and perhaps a port')
  // It goes into every request line.
  if (!/^(?:\/(?!\.{1,2}(?:\/|$))[\w.~!$&'()*+,;=:@%-]+)*$/.test(prefix))
    throw new EngawaError('FLAG_INVALID', 'a path begins with / and has no empty part, no . or .., no ? and no #')
  return { hostHeader, rewrite: { strip, prefix }, h2c }
}
