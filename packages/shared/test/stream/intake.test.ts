import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { readRecords } from '../../src/carrier/records.ts'
import { takeIn } from '../../src/stream/intake.ts'
import { readAsData, readInto } from '../../src/stream/onread.ts'
import { Outlet } from '../../src/stream/outlet.ts'
import { giveBack, lend } from '../../src/stream/pool.ts'
import { makeTestEdge } from '../support/certificate.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Both ends of one TCP connection: who dialled, and who was accepted. */
async function pair(t: Test): Promise<[dialled: Socket, accepted: Socket]> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const coming = once(server, 'connection') as Promise<[Socket]>
  const dialled = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [accepted] = await coming
  for (const socket of [dialled, accepted]) {
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  }
  return [dialled, accepted]
}

/** The same inside TLS; the edge's end wraps a socket that was accepted. */
async function tlsPair(t: Test): Promise<[dialled: Socket, accepted: Socket]> {
  const [below, accepted] = await pair(t)
  const { key, cert } = makeTestEdge()
  const opened = new TLSSocket(accepted, { isServer: true, key, cert })
  const dialled = connectTls({ socket: below, rejectUnauthorized: false })
  opened.on('error', () => undefined)
  await Promise.all([once(opened, 'secure'), once(dialled, 'secureConnect')])
  return [dialled, opened]
}

for (const [name, make] of [
  ['TCP', pair],
  ['TLS', tlsPair],
] as const) {
  t.test(`${name}: reads go into a buffer of ours, on both ends`, async (t) => {
    for (const turned of [false, true]) {
      const ends = await make(t)
      const [from, to] = turned ? ends.toReversed() : ends
      const sent = randomBytes(3_000_000)
      const buffer = Buffer.alloc(65_536)
      const hash = createHash('sha256')
      let left = sent.length
      const whole = Promise.withResolvers<void>()
      const taken = readInto(to as Socket, buffer, (count, into) => {
        t.equal(into.buffer === buffer.buffer, true)
        hash.update(into.subarray(0, count))
        left -= count
        if (left === 0) whole.resolve()
        return undefined
      })
      t.equal(taken, true, 'this Node is made as we know it')
      t.equal(
        readInto(to as Socket, buffer, () => undefined),
        false,
        'once a socket',
      )
      to?.resume()
      from?.write(sent)
      await whole.promise
      t.equal(hash.digest('hex'), sha256(sent))
    }
  })

  t.test(
    `${name}: who reads a socket into a buffer can leave it to one who reads by 'data', and take it again`,
    async (t) => {
      const [from, to] = await make(t)
      const parts = [randomBytes(100_000), randomBytes(700_000), randomBytes(100_000)] as const
      const hash = createHash('sha256')
      let got = 0
      let until: { bytes: number; reached: () => void } | undefined
      const more = (bytes: Uint8Array): void => {
        hash.update(bytes)
        got += bytes.length
        if (got === until?.bytes) until.reached()
      }
      const pass = async (part: Uint8Array): Promise<void> => {
        const { promise, resolve } = Promise.withResolvers<void>()
        until = { bytes: got + part.length, reached: resolve }
        from.write(part)
        await promise
      }
      const into = (): boolean =>
        readInto(to, Buffer.alloc(16_384), (count, buffer) => {
          more(buffer.subarray(0, count))
          return undefined
        })
      t.equal(into(), true)
      to.resume()
      await pass(parts[0])
      to.pause()
      readAsData(to)
      // Held back again and again: what waits for its reader must not be read over.
      to.on('data', (bytes: Buffer) => {
        to.pause()
        setImmediate(() => {
          more(bytes)
          to.resume()
        })
      })
      to.resume()
      await pass(parts[1])
      t.equal(into(), true)
      await pass(parts[2])
      t.equal(hash.digest('hex'), sha256(Buffer.concat(parts)))
      const ended = once(to, 'end')
      from.end()
      await ended
    },
  )

  t.test(`${name}: what was taken in stays as it came until it is released`, async (t) => {
    const [from, to] = await make(t)
    const sizes = [1, 100, 5_000, 40_000, 700_000, 3, 2_000_000, 9_000, 1, 1, 1, 600_000]
    const sent = sizes.map((size) => randomBytes(size))
    const kept: Uint8Array[] = []
    const releases: (() => void)[] = []
    let left = sizes.reduce((sum, size) => sum + size, 0)
    const whole = Promise.withResolvers<void>()
    to.unshift(Buffer.from('early'))
    left += 5
    takeIn(to, (bytes, release) => {
      kept.push(bytes)
      if (release !== undefined) releases.push(release)
      left -= bytes.length
      if (left === 0) whole.resolve()
      // Whoever is full pauses, and nothing is lost by it.
      to.pause()
      setImmediate(() => to.resume())
    })
    to.resume()
    for (const bytes of sent) from.write(bytes)
    await whole.promise
    t.equal(sha256(Buffer.concat(kept)), sha256(Buffer.concat([Buffer.from('early'), ...sent])))
    for (const release of releases) release()
    const ended = once(to, 'end')
    from.end()
    await ended
  })
}

t.test('TLS is read by more than a record at a time, to its end', async (t) => {
  for (const turned of [false, true]) {
    const ends = await tlsPair(t)
    const [from, to] = (turned ? ends.toReversed() : ends) as [Socket, TLSSocket]
    const sizes = [1, 16_384, 5, 3_000_000, 16_383, 16_385, 1, 1, 500_000]
    const hash = createHash('sha256')
    const wanted = createHash('sha256')
    let left = 0
    let largest = 0
    let arrived = Promise.withResolvers<void>()
    const isOurs = readRecords(to, (bytes) => {
      hash.update(bytes)
      largest = Math.max(largest, bytes.length)
      left -= bytes.length
      if (left === 0) arrived.resolve()
    })
    t.equal(isOurs, true, 'this Node is made as we know it')
    to.resume()
    for (const size of sizes) {
      const sent = randomBytes(size)
      wanted.update(sent)
      arrived = Promise.withResolvers()
      left += size
      from.write(sent)
      // Some arrive alone, some together.
      if (size % 2 === 1) await arrived.promise
    }
    await arrived.promise
    t.equal(hash.copy().digest('hex'), wanted.digest('hex'))
    t.ok(largest > 16_384, `${largest} bytes at once`)
    to.pause()
    left = 1_000_000
    arrived = Promise.withResolvers()
    from.write(randomBytes(left))
    await new Promise((resolve) => setImmediate(resolve))
    to.resume()
    await arrived.promise
    const ended = once(to, 'end')
    from.end()
    await ended
  }
})

t.test('an outlet copies: what it was given is the caller’s again at once', async (t) => {
  const [from, to] = await pair(t)
  let taken = 0
  const outlet = new Outlet(from, (bytes) => {
    taken += bytes
  })
  const hash = createHash('sha256')
  const wanted = createHash('sha256')
  to.on('data', (bytes) => hash.update(bytes))
  const lent = Buffer.alloc(300_000)
  let sum = 0
  for (const size of [1, 16_384, 300_000, 2, 70_000, 299_999, 4096, 5]) {
    for (let times = 0; times < 20; times++) {
      const bytes = randomBytes(size)
      lent.set(bytes)
      wanted.update(bytes)
      outlet.write(lent.subarray(0, size))
      lent.fill(0)
      sum += size
    }
    // The visitor comes and goes: some of it waits in the socket, some does not.
    if (to.isPaused()) to.resume()
    else to.pause()
    await new Promise((resolve) => setImmediate(resolve))
  }
  to.resume()
  outlet.flush()
  from.end()
  await once(to, 'end')
  t.equal(hash.digest('hex'), wanted.digest('hex'))
  t.equal(outlet.written, sum)
  t.equal(taken, sum, 'all of it was told')
})

t.test('a lent buffer is nobody else’s until it is given back', async (t) => {
  const one = lend(100)
  const other = lend(100)
  t.not(one.buffer, other.buffer)
  t.equal(one.length, 16_384)
  t.equal(lend(16_385).length, 65_536)
  t.equal(lend(10_000_000).length, 262_144, 'no more than the largest')
  giveBack(one)
  t.equal(lend(1), one)
  t.not(lend(1), one)
})
