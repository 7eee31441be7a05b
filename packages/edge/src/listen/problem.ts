import { type Address, formatAddress } from '@engawa/shared/addresses'
import { EngawaError } from '@engawa/shared/errors'

/** Says why a listener could not begin, and which flag moves it. Everything else is thrown on as it is. */
export async function listening<Listener>(
  flag: string,
  address: Address | undefined,
  begin: Promise<Listener>,
): Promise<Listener> {
  try {
    return await begin
  } catch (error) {
    const why = systemCode(error)
    if (why === undefined || address === undefined) throw error
    const [en, ja] = texts(why, formatAddress(address), flag)
    throw new EngawaError('LISTEN_FAILED', en, { cause: error, ja })
  }
}

function systemCode(error: unknown): string | undefined {
  const { code, syscall, cause } = error as { code?: string; syscall?: string; cause?: unknown }
  if (syscall === 'listen' || syscall === 'bind' || syscall === 'getaddrinfo') return code
  return cause === undefined ? undefined : systemCode(cause)
}

function texts(why: string, address: string, flag: string): readonly [en: string, ja: string] {
  switch (why) {
    case 'EADDRINUSE':
      return [
        `${address} is taken by another program; choose another address with ${flag}`,
        `${address} は別のプログラムが使っています。${flag} で別のアドレスを指定してください`,
      ]
    case 'EACCES':
      return [
        `this user may not listen on ${address}: use sudo, or a port from 1024 with ${flag}`,
        `${address} を開く権限がありません。sudo を使うか、${flag} で 1024 以上のポートを指定してください`,
      ]
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return [
        `${address} is no address of this machine: correct ${flag}`,
        `${address} はこのマシンのアドレスではありません。${flag} を直してください`,
      ]
    default:
      return [`cannot listen on ${address} (${flag}): ${why}`, `${address} を開けません (${flag}): ${why}`]
  }
}
