import { setFlagsFromString } from 'node:v8'

/**
 * V8 waits for a function to be called so often before it compiles it well: by default 400 times for the quick compiler,
 * 3,000 for the thorough one, and 500 after anything new was seen in it. docs/decisions/0017
 */
const EARLY: readonly string[] = [
  '--invocation-count-for-maglev=100',
  '--invocation-count-for-turbofan=500',
  '--minimum-invocations-after-ic-update=30',
]

/** Those of Node 24 to 26 have these flags. Another one might not, and would say so on stderr at each start. */
const VERSIONS = /^1[34]\./

/**
 * Has V8 compile sooner what runs often, in a process that is to serve for days: visitors come by tens, not by thousands,
 * and until then each costs up to a quarter more.
 *
 * To be called once the start is over: V8 takes compiled code, Node's own too, only where it was made with the same flags.
 */
export function compileSooner(): void {
  if (VERSIONS.test(process.versions.v8)) for (const flag of EARLY) setFlagsFromString(flag)
}
