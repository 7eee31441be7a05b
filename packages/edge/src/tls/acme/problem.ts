import { EngawaError } from '@engawa/shared/errors'

/** What keeps a certificate from being issued, as people can act on it. show/ has the words. */
export const PROBLEMS = [
  /** The CA itself. */
  'caUnreachable',
  'caUntrusted',
  'caBroken',
  'rateLimited',
  'accountRefused',
  /** What the CA saw when it came to look. */
  'httpUnreachable',
  'tlsUnreachable',
  'httpWrong',
  'tlsWrong',
  'dnsMissing',
  'dnsWrong',
  'caaForbids',
  'nameRefused',
  /** On this side. */
  'dnsProvider',
  'needsDns',
  'other',
] as const

export interface Problem {
  readonly kind: (typeof PROBLEMS)[number]
  /** The name it is about; empty for one of the CA itself. */
  readonly host: string
  /** What the CA, the system or the hook said. */
  readonly detail: string
  /** When the CA wants to be asked again, ms from now. */
  readonly retryMs?: number
}

const MOST_DETAIL = 500

export function certificateError(problem: Problem): EngawaError {
  const detail = printable(problem.detail)
  return new EngawaError('CERTIFICATE_FAILED', detail, { cause: { ...problem, detail } })
}

/** What went wrong, whatever was thrown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof EngawaError && error.code === 'CERTIFICATE_FAILED') return error.cause as Problem
  const { code = '', message = '' } = error as { code?: string; message?: string }
  return { kind: 'other', host: '', detail: printable(`${code} ${message}`.trim()) }
}

/** A CA's word goes into logs and terminals. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, MOST_DETAIL)
}

type Kinds = Readonly<Record<string, Problem['kind']>>

/** RFC 8555 §6.7: of a whole request. */
const OF_REQUEST: Kinds = {
  rateLimited: 'rateLimited',
  serverInternal: 'caBroken',
  rejectedIdentifier: 'nameRefused',
  unsupportedIdentifier: 'nameRefused',
  caa: 'caaForbids',
  accountDoesNotExist: 'accountRefused',
  externalAccountRequired: 'accountRefused',
  invalidContact: 'accountRefused',
  unsupportedContact: 'accountRefused',
  userActionRequired: 'accountRefused',
}
/** The same words mean another thing for each way to prove a name. */
const OF_CHALLENGE: Readonly<Record<string, Kinds>> = {
  'http-01': { connection: 'httpUnreachable', tls: 'httpUnreachable', unauthorized: 'httpWrong', dns: 'dnsMissing' },
  'tls-alpn-01': { connection: 'tlsUnreachable', tls: 'tlsWrong', unauthorized: 'tlsWrong', dns: 'dnsMissing' },
  'dns-01': { connection: 'dnsWrong', unauthorized: 'dnsWrong', dns: 'dnsWrong' },
}

/** A problem document of the CA, RFC 7807, for a request or (`challenge`) for a look at `host`. */
export function readProblem(
  document: { readonly type?: string | undefined; readonly detail?: string | undefined },
  { host = '', challenge }: { host?: string; challenge?: string } = {},
): Problem {
  const type = (document.type ?? '').replace(/^urn:ietf:params:acme:error:/, '')
  const kinds = challenge === undefined ? undefined : OF_CHALLENGE[challenge]
  const said = document.detail ?? ''
  const missing =
    kinds !== undefined &&
    challenge !== 'dns-01' &&
    /NXDOMAIN|SERVFAIL|no such host|could not resolve|no valid (?:A|AAAA|IP)/i.test(said)
  const kind = missing ? 'dnsMissing' : (kinds?.[type] ?? kinds?.[ALIASES[type] ?? ''] ?? OF_REQUEST[type] ?? 'other')
  return { kind, host, detail: said === '' ? type : said }
}

/** Names of the drafts and of other CAs for the same. */
const ALIASES: Readonly<Record<string, string>> = { incorrectResponse: 'unauthorized', unknownHost: 'dns' }
