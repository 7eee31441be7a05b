/** Figures of the wire, each with its unit and its source. A peer that passes one is cut off. */

/** Header of every frame, bytes. protocol.md §3 */
export const HEADER_BYTES = 8
/** Payload bytes of one DATA frame, without its offset. protocol.md §3 */
export const MAX_DATA_BYTES: number = 256 * 1024
/** What lies free before bytes that were read to be sent, so that all headers and they are one contiguous write. */
export const HEADROOM = 128
/** Of it, what is left to the carrier for a header of its own. */
export const CARRIER_HEADROOM = 16
/** An opening or a GOAWAY reason, bytes. protocol.md §3 */
export const MAX_OPENING_BYTES = 256
export const MAX_REASON_BYTES = 256
/** Entries of one LOST, and how many carrier numbers a session remembers. protocol.md §3, [H6] */
export const MAX_LOST_ENTRIES = 64
/** What UDP over IPv4 can carry, bytes (RFC 768: 65,535 less 8 and the IP header's 20). */
export const MAX_DATAGRAM_BYTES = 65_507
/** Above this a u64 is no safe integer. protocol.md [F1] */
export const MAX_COUNT: number = Number.MAX_SAFE_INTEGER
/** Credit of stream 0 each way, bytes. protocol.md [W1] */
export const CONTROL_CREDIT: number = 64 * 1024
/** One message of stream 0, bytes of JSON. protocol.md §8 */
export const MAX_MESSAGE_BYTES: number = 64 * 1024
/** Messages that an agent takes from its edge, a second and at once: a hacked edge must not burn the machine at home. protocol.md §8 */
export const EDGE_MESSAGES = { perSecond: 400, burst: 800 } as const
/** Of these, how many may be summaries of requests. protocol.md [M9] */
export const SUMMARIES = { perSecond: 100, burst: 200 } as const
/** Ids between the lowest unacknowledged OPEN and the newest. protocol.md [S4] */
export const MAX_OPEN_SPAN = 4096
/** One handshake message, bytes of JSON. protocol.md [C3] */
export const MAX_HANDSHAKE_BYTES: number = 16 * 1024
/** Credit that every stream always gets, bytes. protocol.md [W4] */
export const STREAM_FLOOR: number = 16 * 1024
/** Live streams of a session unless a side asks for fewer. */
export const MAX_STREAMS = 2048
