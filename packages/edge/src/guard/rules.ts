import { Networks, parseNetwork } from '@engawa/shared/networks'

/** Whom a tunnel takes, as its agent wants it. Networks in one spelling. */
export interface RuleTexts {
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

export const NO_RULES: RuleTexts = { allow: [], deny: [] }

/** Throws FLAG_INVALID. */
export function parseRules({ allow = [], deny = [] }: Partial<RuleTexts>): RuleTexts {
  return { allow: allow.map(parseNetwork), deny: deny.map(parseNetwork) }
}

/** The address rules of one tunnel. protocol.md [M3] */
export class AddressRules {
  readonly #allow: Networks | undefined
  readonly #deny: Networks

  constructor({ allow, deny }: RuleTexts) {
    this.#allow = allow.length > 0 ? new Networks(allow) : undefined
    this.#deny = new Networks(deny)
  }

  /** `deny` wins. An unknown address is in no network. */
  admits(address: string): boolean {
    return !this.#deny.has(address) && this.#allow?.has(address) !== false
  }
}
