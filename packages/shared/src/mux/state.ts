/** Which directions of a stream are still open. protocol.md §4 */
export type State = 'open' | 'localEnded' | 'peerEnded' | 'closed'
export type Signal = 'localEnd' | 'peerEnd' | 'reset'

/** A missing cell is a violation. Repeats are filtered before the table: after a resume every frame may come twice. */
export const NEXT: Record<State, Partial<Record<Signal, State>>> = {
  open: { localEnd: 'localEnded', peerEnd: 'peerEnded', reset: 'closed' },
  localEnded: { peerEnd: 'closed', reset: 'closed' },
  peerEnded: { localEnd: 'closed', reset: 'closed' },
  closed: { reset: 'closed' },
}
