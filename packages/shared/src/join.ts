import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { EngawaError } from './errors.ts'
import { quoted } from './say.ts'

/** What an invitation hands to an agent. */
export interface JoinLine {
  /** Where to dial, `HOST:PORT` or `[V6]:PORT`, in the order of trying; 1 … 16. */
  readonly addresses: readonly string[]
  /** The invitation's one-time secret, 32 bytes. */
  readonly secret: Uint8Array
  /** SHA-256 of the carrier CA's public key (DER SubjectPublicKeyInfo), 32 bytes. protocol.md [C2] */
  readonly pin: Uint8Array
}

const PREFIX = 'engawa1:'
const VERSION = 1
const MAX_ADDRESSES = 16
/** Bytes of secret, pin, checksum. */
const TAIL_BYTES = 32 + 32 + 4

/*
 * The text after `engawa1:` is base64url of
 *
 *  0          1         2
 *  ┌──────────┬─────────┬───────────────────────────────────┬─────────────┬──────────┬────────────┐
 *  │ version  │ count   │ count × (length u8 │ UTF-8 text)  │ secret (32) │ pin (32) │ CRC-32 u32 │
 *  └──────────┴─────────┴───────────────────────────────────┴─────────────┴──────────┴────────────┘
 *
 * A CRC-32 finds every error within 32 bits in a row, so every single wrong character.
 */
export function encodeJoin({ addresses, secret, pin }: JoinLine): string {
  if (addresses.length === 0 || addresses.length > MAX_ADDRESSES) throw new RangeError('1 to 16 addresses')
  if (secret.length !== 32 || pin.length !== 32) throw new RangeError('secret and pin are 32 bytes each')
  const parts: Uint8Array[] = [Uint8Array.of(VERSION, addresses.length)]
  for (const address of addresses) {
    const text = Buffer.from(address)
    if (text.length === 0 || text.length > 255) throw new RangeError('an address is 1 to 255 bytes')
    parts.push(Uint8Array.of(text.length), text)
  }
  const body = Buffer.concat([...parts, secret, pin])
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32LE(crc32(body))
  return PREFIX + Buffer.concat([body, checksum]).toString('base64url')
}

/**
 * Reads what `edge invite` printed, with or without its `agent join`, also when a terminal or a mail has wrapped it.
 * Throws JOIN_LINE_INVALID that says what to do about it; the text never holds the secret.
 */
export function decodeJoin(text: string): JoinLine {
  const bare = text.trim().replace(/^(?:engawa-)?agent\s+join\s+/, '')
  const line = bare.replace(/^(['"`])(.*)\1$/s, '$2').replace(/\s+/g, '')
  if (!line.startsWith(PREFIX)) throw wrongStart(line)
  const encoded = line.slice(PREFIX.length)
  const stranger = /[^A-Za-z0-9_-]/u.exec(encoded)
  if (stranger !== null) {
    const at = PREFIX.length + stranger.index + 1
    throw refuse(
      `character ${at}, ${quoted(stranger[0])}, cannot be part of a join line`,
      `${at} 文字目の ${quoted(stranger[0])} は参加用コマンドに含まれない文字です`,
    )
  }
  const bytes = Buffer.from(encoded, 'base64url')
  const missing = missingBytes(bytes)
  if (missing > 0) {
    const count = Math.ceil((missing * 4) / 3)
    throw refuse(
      `it is cut short, about ${count} characters are missing at the end`,
      `途中で切れています。終わりの約 ${count} 文字が足りません`,
    )
  }
  const body = bytes.subarray(0, -4)
  // The last character of base64 has spare bits; only the spelling that was printed is right.
  if (bytes.toString('base64url') !== encoded || crc32(body) !== bytes.readUInt32LE(body.length)) {
    throw refuse('a character of it is wrong', '文字が一部間違っています')
  }
  return read(body)
}

function read(body: Buffer): JoinLine {
  if (body[0] !== VERSION) throw newer()
  const addresses: string[] = []
  let at = 2
  for (let left = body[1] ?? 0; left > 0; left--) {
    const length = body[at] ?? 0
    addresses.push(body.toString('utf8', at + 1, at + 1 + length))
    at += 1 + length
  }
  if (at + 64 !== body.length || addresses.length === 0 || addresses.length > MAX_ADDRESSES) {
    throw refuse('its content makes no sense', '内容が正しくありません')
  }
  return {
    addresses,
    secret: new Uint8Array(body.subarray(at, at + 32)),
    pin: new Uint8Array(body.subarray(at + 32, at + 64)),
  }
}

/** How many bytes the content says that there should be more of. */
function missingBytes(bytes: Buffer): number {
  let at = 2
  for (let left = bytes[1] ?? 1; left > 0; left--) at += 1 + (bytes[at] ?? 1)
  return at + TAIL_BYTES - bytes.length
}

function wrongStart(line: string): EngawaError {
  if (/^engawa\d+:/.test(line)) return newer()
  return refuse(`it does not begin with ${PREFIX}`, `${PREFIX} で始まっていません`)
}

function newer(): EngawaError {
  return new EngawaError(
    'JOIN_LINE_INVALID',
    'this join line is of a version that this agent does not know: if all of it was copied, install the newest agent',
    {
      ja: 'この参加用コマンドの版をこのエージェントは知りません。全体をコピーしたのであれば、最新のエージェントを入れてください',
    },
  )
}

function refuse(en: string, ja: string): EngawaError {
  return new EngawaError(
    'JOIN_LINE_INVALID',
    `this join line cannot be used: ${en}. Copy all of what \`edge invite\` printed, from ${PREFIX} to its end`,
    {
      ja: `この参加用コマンドは使えません: ${ja}。\`edge invite\` が表示した ${PREFIX} から最後までをコピーしてください`,
    },
  )
}
