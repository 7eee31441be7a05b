import { z } from 'zod'

/** A whole number with its default and bounds. */
function whole(usual: number, least: number, most: number = Number.MAX_SAFE_INTEGER): z.ZodDefault<z.ZodNumber> {
  return z.number().int().min(least).max(most).default(usual)
}

const DAY_MS = 86_400_000
const KIB = 1024
const MIB = 1024 * KIB

/** `limits` of edge.yaml: the figures of promises.md, each with the attack or need it answers. Names say the unit where the type cannot. */
export const LIMITS = z
  .strictObject({
    /** Visitors' connections in all; past it the edge refuses early. */
    connections: whole(16_384, 1),
    /** One address (IPv6: one /64), HTTP, TCP and TLS alike. */
    perAddress: z
      .strictObject({ connections: whole(256, 1), newPerSecond: whole(100, 1), burst: whole(300, 1) })
      .prefault({}),
    /** Sockets whose first bytes are not known yet; past it the oldest of the fullest address goes. */
    unpeekedSockets: whole(1024, 1),
    /** Slow clients: TLS handshake and first byte, then the request's head. */
    handshakeMs: whole(10_000, 100, DAY_MS),
    requestHeadMs: whole(10_000, 100, DAY_MS),
    requestHeadBytes: whole(16 * KIB, KIB, MIB),
    requestFields: whole(100, 1, 2000),
    requestTargetBytes: whole(8 * KIB, 64, MIB),
    /** Slow bodies (HTTP/1.1): the least rate, after a time of grace. */
    bodyBytesPerSecond: whole(KIB, 0),
    bodyGraceMs: whole(10_000, 0, DAY_MS),
    /** A request over HTTP/2 in which nothing moves; gRPC streams may rest for as long as they like. */
    http2IdleMs: whole(300_000, 100, DAY_MS),
    /** Requests at once on one connection. */
    http2Streams: whole(100, 1, 1000),
    /** At once by one address on all its connections: far from what an agent's session takes, or what waits for one. */
    http2RequestsPerAddress: whole(512, 1),
    /** Requests that a visitor takes back; who leaves a page full of pictures takes back all of them at once. */
    http2ResetsPerSecond: whole(20, 1),
    http2ResetBurst: whole(200, 1),
    keepAliveIdleMs: whole(60_000, 100, DAY_MS),
    /** A hostile local service. */
    responseHeadBytes: whole(32 * KIB, KIB, MIB),
    interimResponses: whole(10, 0, 1000),
    /** How long a service may think before its answer begins. */
    responseHeadMs: whole(120_000, 100, DAY_MS),
    /** Share of the machine's memory (or the container's) from which on requests get 503, and then nothing is accepted. */
    memoryBusyPercent: whole(70, 1, 100),
    memoryFullPercent: whole(85, 1, 100),
    /** Requests and connections that wait for an agent to come back. */
    held: z
      .strictObject({ forMs: whole(10_000, 0, DAY_MS), requests: whole(1000, 0), bytes: whole(16 * MIB, 0) })
      .prefault({}),
    udp: z
      .strictObject({
        flows: whole(4096, 1),
        flowsPerAddress: whole(64, 1),
        idleMs: whole(60_000, 1000, DAY_MS),
      })
      .prefault({}),
    /** Carriers before their handshake is done: past `pending` they wait, and the silent make room; nobody is refused. */
    carriers: z
      .strictObject({
        pending: whole(100, 1),
        pendingPerAddress: whole(10, 1),
        /** Each is a socket and a ClientHello; at the limit the one that has waited longest goes. */
        waiting: whole(1000, 1),
        waitingPerAddress: whole(250, 1),
        handshakeMs: whole(10_000, 100, DAY_MS),
        handshakeBytes: whole(64 * KIB, KIB),
      })
      .prefault({}),
    /** What a CA is asked for; Let's Encrypt forgives 5 failures an hour and name. */
    certificates: z.strictObject({ ordersPerHour: whole(20, 1), ordersPerNamePerHour: whole(5, 1) }).prefault({}),
    /** What one agent may hold and do. */
    perAgent: z
      .strictObject({
        names: whole(100, 1),
        ports: whole(2000, 1),
        streams: whole(2048, 1, 65_536),
        messagesPerSecond: whole(200, 1),
        messageBurst: whole(400, 1),
        /** Half of it is 16 KiB for each stream: so many streams need so much. */
        bufferBytes: whole(64 * MIB, MIB),
        /** Of one session at once: 8 that an agent may want, twice, since lost ones are noticed late. */
        carriers: whole(16, 1),
      })
      .prefault({}),
  })
  .prefault({})

export type EdgeLimits = z.output<typeof LIMITS>
