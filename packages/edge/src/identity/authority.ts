import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { EngawaError } from '@engawa/shared/errors'
import { writeAtomic } from '@engawa/shared/folder'
import { certificate, server } from './x509.ts'

/** A key with its certificate. */
export interface Authority {
  readonly key: KeyObject
  /** PEM. */
  readonly certificate: string
  readonly name: string
}

/** What TLS needs: the leaf's key, and the leaf with its authority behind it. PEM. */
export interface KeyAndChain {
  readonly key: string
  readonly cert: string
}

export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
}

export function keyPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' })
}

/** One file for both, so that a crash never leaves a key beside another's certificate. `note` is one line kept with them. */
export function writeAuthority(path: string, authority: Authority, note: string): void {
  writeAtomic(path, `# ${note}\n${authority.certificate}${keyPem(authority.key)}`)
}

/** Reads what `writeAuthority` wrote. Throws STATE_BROKEN. */
export function readAuthority(path: string, text: string): Authority & { readonly note: string } {
  try {
    const note = /^# (.*)$/m.exec(text)?.[1] ?? ''
    const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/.exec(text)?.[0] ?? ''
    const key = createPrivateKey(text)
    const parsed = new X509Certificate(pem)
    if (!parsed.checkPrivateKey(key)) throw new TypeError('key and certificate do not belong together')
    return { key, certificate: pem, name: /CN=(.*)/.exec(parsed.subject)?.[1] ?? '', note }
  } catch (cause) {
    throw new EngawaError('STATE_BROKEN', `${path} holds no key with its certificate; restore it from a backup`, {
      cause,
      ja: `${path} の鍵と証明書を読めません。バックアップから戻してください`,
    })
  }
}

/** A server's certificate, valid for `hosts` from `from` to `to`. */
export function issueLeaf(authority: Authority, leaf: { hosts: readonly string[]; from: Date; to: Date }): KeyAndChain {
  const key = newKey()
  const pem = certificate({
    subject: leaf.hosts[0] ?? '',
    issuer: authority.name,
    key,
    signer: authority.key,
    from: leaf.from,
    to: leaf.to,
    extensions: server(key, authority.key, leaf.hosts),
  })
  return { key: keyPem(key), cert: pem + authority.certificate }
}
