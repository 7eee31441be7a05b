import type { Bound } from '@engawa/shared/wire/control'
import { MAX_MESSAGE_BYTES } from '@engawa/shared/wire/limits'
import { baseName } from './leases.ts'
import type { Published } from './published.ts'

/** What an agent is told of a tunnel: where it is found now. protocol.md [M4] */
export function boundOf(tunnel: Published, udpIdleMs: number): Bound {
  return {
    type: 'bound',
    service: tunnel.service,
    name: baseName(tunnel.name),
    public: tunnel.public,
    urls: fitting(tunnel.urls),
    ...(tunnel.ports === undefined ? {} : { ports: tunnel.ports }),
    ...(tunnel.check === undefined ? {} : { check: tunnel.check }),
    ...(tunnel.awaitsCertificate && { awaitsCertificate: true }),
    ...(tunnel.protocol === 'udp' && { idleMs: udpIdleMs }),
  }
}

/** As many addresses as one message holds, the first ones. A hundred long hosts with both schemes would be too many. */
function fitting(urls: readonly string[]): readonly string[] {
  let left = MAX_MESSAGE_BYTES / 2
  return urls.filter((url) => (left -= url.length + 3) > 0)
}
