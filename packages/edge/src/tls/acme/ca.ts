import { setTimeout } from 'node:timers/promises'
import type { Authorization, Client, Order } from 'acme-client'
import { keyPem, newKey } from '../../identity/authority.ts'
import type { AccountRows } from '../../store/certificates.ts'
import { certificateError, problemOf, readProblem } from './problem.ts'
import { openTransport } from './transport.ts'

/** A way to prove that a name is ours. */
export interface Solver {
  readonly type: 'http-01' | 'tls-alpn-01' | 'dns-01'
  /** Makes what the CA looks for be there; answers how to take it away. Throws CERTIFICATE_FAILED. */
  prove(host: string, token: string, keyAuthorization: string): Promise<() => Promise<void>>
}

export interface CaOptions {
  readonly directory: string
  readonly email: string | undefined
  /** PEM of authorities that the CA's own HTTPS is trusted by besides the usual ones. */
  readonly roots: string | undefined
  readonly accounts: AccountRows
}

/** How long a CA may take for one step of an order. */
const STEP_MS = 3 * 60_000
const FIRST_LOOK_MS = 250
const LAST_LOOK_MS = 5000

/** It takes 28 MB and a sixth of a second: only who orders certificates has it. */
function library(): Promise<typeof import('acme-client')> {
  return import('acme-client')
}

/**
 * Whether the CA has this key: a former run may have ended before it heard the answer. Creating the account once more
 * would do, but for acme-client, which then changes it by nothing; some CAs refuse that.
 */
async function isKnown(client: Client): Promise<boolean> {
  try {
    await client.createAccount({ onlyReturnExisting: true })
    return true
  } catch (error) {
    if (problemOf(error).kind !== 'accountRefused') throw error
    return false
  }
}

/** One ACME CA, RFC 8555, as this edge's account sees it. The only room that knows acme-client. */
export class Ca {
  readonly #options: CaOptions
  #closeTransport: () => void = () => {}
  readonly #stopping = new AbortController()
  #client: Promise<Client> | undefined

  constructor(options: CaOptions) {
    this.#options = options
  }

  /** Answers the order's URL. Throws CERTIFICATE_FAILED. */
  async order(hosts: readonly string[]): Promise<string> {
    const identifiers = hosts.map((value) => ({ type: 'dns', value }))
    try {
      return (await (await this.#opened()).createOrder({ identifiers })).url
    } catch (error) {
      if (problemOf(error).kind !== 'accountRefused') throw error
      // A CA that has forgotten us, as staging ones do: the same key makes itself known again.
      this.#options.accounts.forgetUrl(this.#options.directory)
      this.#client = undefined
      return (await (await this.#opened()).createOrder({ identifiers })).url
    }
  }

  /**
   * Takes an order from where it stands to its certificate: PEM, leaf first. `solvers`: the best first.
   * Throws CERTIFICATE_FAILED; an order that the CA does not know (any more) is that, too.
   */
  async complete(
    url: string,
    { hosts, key, solvers }: { hosts: readonly string[]; key: string; solvers: readonly Solver[] },
  ): Promise<string> {
    const client = await this.#opened()
    const look = (): Promise<Order> => client.getOrder({ url } as Order)
    let order = await look()
    if (order.status === 'pending') {
      // oxlint-disable-next-line no-await-in-loop -- proofs of one DNS name share a record
      for (const authorization of await client.getAuthorizations(order))
        await this.#prove(client, authorization, solvers)
      order = await this.#until(look, ({ status }) => status !== 'pending')
    }
    if (order.status === 'ready') {
      const [, csr] = await (await library()).crypto.createCsr({ altNames: [...hosts] }, key)
      await client.finalizeOrder(order, csr)
    }
    order = await this.#until(look, ({ status }) => status === 'valid' || status === 'invalid')
    if (order.status === 'valid') return client.getCertificate(order)
    throw certificateError(readProblem(order.error ?? { detail: 'the order is invalid' }, { host: hosts[0] ?? '' }))
  }

  /** Cuts off what runs. */
  close(): void {
    this.#stopping.abort()
    this.#closeTransport()
  }

  #opened(): Promise<Client> {
    this.#client ??= this.#open().catch((error: unknown) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }

  async #open(): Promise<Client> {
    const { accounts, directory, email, roots } = this.#options
    const acme = await library()
    this.#closeTransport()
    this.#closeTransport = openTransport(acme.axios.defaults, roots)
    // On disk before the CA hears of it: after a crash the same key finds the same account. RFC 8555 §7.3.1
    const kept = accounts.get(directory)
    const account = kept ?? accounts.add(directory, keyPem(newKey()))
    const known = account.url === undefined ? {} : { accountUrl: account.url }
    const client = new acme.Client({ directoryUrl: directory, accountKey: account.key, ...known })
    const contact = email === undefined ? {} : { contact: [`mailto:${email}`] }
    const isThere = account.url !== undefined || (kept !== undefined && (await isKnown(client)))
    if (!isThere) await client.createAccount({ termsOfServiceAgreed: true, ...contact })
    else if (email !== undefined && account.email !== email) await client.updateAccount(contact)
    accounts.opened(directory, client.getAccountUrl(), email)
    return client
  }

  async #prove(client: Client, authorization: Authorization, solvers: readonly Solver[]): Promise<void> {
    if (authorization.status === 'valid') return
    const host = authorization.identifier.value
    const offered = solvers.flatMap((solver) =>
      authorization.challenges.flatMap((challenge) =>
        (challenge.type as string) === solver.type ? [{ solver, challenge }] : [],
      ),
    )
    const [way] = offered
    if (way === undefined) {
      const kind = authorization.wildcard === true ? ('needsDns' as const) : ('other' as const)
      throw certificateError({ kind, host, detail: 'the CA offers no way that this edge can go' })
    }
    const { solver, challenge } = way
    const keyAuthorization = await client.getChallengeKeyAuthorization(challenge)
    const withdraw = await solver.prove(host, challenge.token, keyAuthorization)
    try {
      if (challenge.status === 'pending') await client.completeChallenge(challenge)
      const look = async (): Promise<Authorization | undefined> =>
        (await client.getAuthorizations({ authorizations: [authorization.url] } as Order))[0]
      const judged = await this.#until(look, (seen) => seen?.status !== 'pending')
      if (judged?.status === 'valid') return
      const failed = judged?.challenges.find(({ type }) => type === challenge.type)
      const problem = failed?.error ?? {
        detail: `the proof is ${judged?.status ?? 'gone'}`,
      }
      throw certificateError(readProblem(problem, { host, challenge: solver.type }))
    } finally {
      await withdraw()
    }
  }

  /** Looks again and again, less and less often. */
  async #until<Seen>(look: () => Promise<Seen>, fits: (seen: Seen) => boolean): Promise<Seen> {
    const deadline = performance.now() + STEP_MS
    for (let pauseMs = FIRST_LOOK_MS; performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, LAST_LOOK_MS)) {
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      const seen = await look()
      if (fits(seen)) return seen
      // oxlint-disable-next-line no-await-in-loop
      await setTimeout(pauseMs, undefined, { signal: this.#stopping.signal })
    }
    throw certificateError({ kind: 'caBroken', host: '', detail: 'it takes longer than 3 minutes' })
  }
}
