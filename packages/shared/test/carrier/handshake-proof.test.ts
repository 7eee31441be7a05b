import { generateKeyPairSync, randomBytes } from 'node:crypto'
import t from 'tap'
import {
  proofHolds,
  proofOf,
  publicKeyOf,
  signatureHolds,
  signatureOf,
  signedBytes,
} from '../../src/carrier/handshake-proof.ts'

const binding = { nonce: Buffer.alloc(32, 1), edge: Buffer.alloc(32, 2), exporter: Buffer.alloc(32, 3) }

t.test('what is signed is what protocol.md §2 says', (t) => {
  t.equal(
    signedBytes('login', binding, '{"ü":1}').toString('hex'),
    `${Buffer.from('engawa login 1').toString('hex')}00${'01'.repeat(32)}${'02'.repeat(32)}${'03'.repeat(32)}7b22c3bc223a317d`,
  )
  t.equal(signedBytes('attach', binding, '').subarray(0, 16).toString(), 'engawa attach 1\0')
  t.equal(signedBytes('join', binding, '').subarray(0, 14).toString(), 'engawa join 1\0')
  t.end()
})

t.test('a signature holds for its key, kind, nonce, edge, exporter and body alone', (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = publicKeyOf(privateKey)
  t.equal(publicKeyOf(publicKey), key)
  t.equal(Buffer.from(key, 'base64url').length, 32)
  const signature = signatureOf(privateKey, signedBytes('login', binding, 'body'))
  t.ok(signatureHolds(key, signedBytes('login', binding, 'body'), signature))
  t.notOk(signatureHolds(key, signedBytes('attach', binding, 'body'), signature))
  t.notOk(signatureHolds(key, signedBytes('login', binding, 'body '), signature))
  for (const part of ['nonce', 'edge', 'exporter'] as const) {
    const other = { ...binding, [part]: randomBytes(32) }
    t.notOk(signatureHolds(key, signedBytes('login', other, 'body'), signature), part)
  }
  t.notOk(
    signatureHolds(
      publicKeyOf(generateKeyPairSync('ed25519').publicKey),
      signedBytes('login', binding, 'body'),
      signature,
    ),
  )
  t.notOk(
    signatureHolds(Buffer.alloc(32, 0xff).toString('base64url'), signedBytes('login', binding, 'body'), signature),
  )
  t.notOk(signatureHolds('', signedBytes('login', binding, 'body'), signature))
  t.end()
})

t.test('a proof holds for its secret, session and exporter alone [H2]', (t) => {
  const secret = randomBytes(32)
  const session = randomBytes(16).toString('base64url')
  const exporter = randomBytes(32)
  const proof = proofOf(secret, session, exporter)
  t.ok(proofHolds(secret, session, exporter, proof))
  t.notOk(proofHolds(randomBytes(32), session, exporter, proof))
  t.notOk(proofHolds(secret, randomBytes(16).toString('base64url'), exporter, proof))
  t.notOk(proofHolds(secret, session, randomBytes(32), proof))
  t.notOk(proofHolds(secret, session, exporter, 'AAAA'))
  t.end()
})
