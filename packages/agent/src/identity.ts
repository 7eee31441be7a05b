import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { exposedFiles, makeFolder, readIfThere, writeAtomic } from '@engawa/shared/folder'
import { z } from 'zod'
import { complaint } from './complaint.ts'

/** Who this agent is, and the one edge it trusts. */
export interface Identity {
  readonly agent: string
  readonly key: KeyObject
  /** SHA-256 of the carrier CA's public key, 32 bytes: the edge's identity. protocol.md §2 */
  readonly pin: Uint8Array
  /** The carrier CA, PEM. */
  readonly ca: string
  /** Where to dial, `HOST:PORT`, in the order of trying. */
  readonly addresses: readonly string[]
}

/** The key has a file of its own because it is there before the edge has answered. */
const KEY_FILE = 'key.pem'
const IDENTITY_FILE = 'identity.json'

const SCHEMA = z.strictObject({
  version: z.literal(1),
  agent: z.string().min(1),
  pin: z.string().regex(/^[\w-]{43}$/),
  ca: z.string().startsWith('-----BEGIN CERTIFICATE-----'),
  addresses: z.array(z.string()).min(1),
})

/** The private key of this folder, made and written (0600) where there is none: a lost answer to `join` must find the same key again. protocol.md [H4] */
export function ownKey(folder: string): KeyObject {
  const path = join(folder, KEY_FILE)
  const known = readIfThere(path)
  if (known !== undefined) return createPrivateKey(known)
  makeFolder(folder)
  const { privateKey } = generateKeyPairSync('ed25519')
  writeAtomic(path, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return privateKey
}

export function saveIdentity(folder: string, { agent, pin, ca, addresses }: Omit<Identity, 'key'>): void {
  const content = { version: 1, agent, pin: Buffer.from(pin).toString('base64url'), ca, addresses }
  writeAtomic(join(folder, IDENTITY_FILE), `${JSON.stringify(content, undefined, 2)}\n`)
}

/** Undefined where no agent has joined. Throws STATE_BROKEN. */
export function loadIdentity(folder: string): Identity | undefined {
  const text = readIfThere(join(folder, IDENTITY_FILE))
  if (text === undefined) return undefined
  try {
    const { agent, pin, ca, addresses } = SCHEMA.parse(JSON.parse(text))
    const pem = readIfThere(join(folder, KEY_FILE)) ?? ''
    return { agent, pin: Buffer.from(pin, 'base64url'), ca, addresses, key: createPrivateKey(pem) }
  } catch (cause) {
    throw complaint('STATE_BROKEN', (words) => words.identityBroken(join(folder, IDENTITY_FILE)), cause)
  }
}

/** Throws NOT_JOINED, which names the command to type; STATE_BROKEN. */
export function needIdentity(folder: string): Identity {
  const identity = loadIdentity(folder)
  if (identity === undefined) throw complaint('NOT_JOINED', (words) => words.notJoined(folder))
  return identity
}

/** Secrets of this folder that others may read. */
export function exposedSecrets(folder: string): string[] {
  return exposedFiles(folder, [KEY_FILE])
}

/** Forgets who this agent was, and the names of its targets. agent.yaml is the user's and stays. */
export function forgetIdentity(folder: string): void {
  for (const file of readdirSync(folder)) {
    if ([IDENTITY_FILE, KEY_FILE, 'names.json'].includes(file)) rmSync(join(folder, file), { force: true })
  }
}
