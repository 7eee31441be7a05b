// Loaded before edge and agent by retention.ts: the same build with a ledger that keeps nothing. What was sent is taken
// for arrived, so that only counts are left, for backpressure; a lost carrier would lose its bytes.
import type { EntryOwner } from '../../packages/shared/src/mux/carrier.ts'
import { Ledger } from '../../packages/shared/src/mux/ledger.ts'
import { DATA, END, OPEN } from '../../packages/shared/src/wire/frame.ts'

type Forgetful = Ledger<EntryOwner>

Ledger.prototype.add = function add(
  this: Forgetful,
  type: number,
  owner: unknown,
  bytes: number,
  _: number,
  to: number,
): void {
  this.sent += bytes
  const stream = owner as EntryOwner
  if (stream === undefined) return
  if (type === DATA) stream.arrived(to)
  else if (type === OPEN) stream.openFrame = 'acked'
  else if (type === END) stream.endFrame = 'acked'
  // Counted up by the caller.
  stream.outstanding--
}

Ledger.prototype.acknowledge = function acknowledge(this: Forgetful, count: number): void {
  this.acked = Math.max(this.acked, count)
}
