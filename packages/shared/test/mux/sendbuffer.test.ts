import t from 'tap'
import { SendBuffer } from '../../src/mux/sendbuffer.ts'
import { HEADROOM } from '../../src/wire/limits.ts'

/** Pieces of these lengths, the negative ones with headroom. */
function filled(...lengths: readonly number[]): SendBuffer {
  const buffer = new SendBuffer()
  for (const length of lengths) {
    const bytes = new Uint8Array(HEADROOM + Math.abs(length)).subarray(HEADROOM)
    buffer.append(bytes, undefined, length < 0 ? HEADROOM : 0)
  }
  return buffer
}

t.test('what has headroom fills a frame of its own, what has none goes together', async (t) => {
  const buffer = filled(10, 20, -100, -50, 5, 6, -70)
  const frames: [from: number, length: number, headroom: number][] = []
  for (let from = 0; from < buffer.end; ) {
    const length = buffer.together(from, buffer.end - from)
    frames.push([from, length, buffer.headroom(from)])
    from += length
  }
  t.same(frames, [
    [0, 30, 0],
    [30, 100, HEADROOM],
    [130, 50, HEADROOM],
    [180, 11, 0],
    [191, 70, HEADROOM],
  ])
})

t.test('headroom is there at the very beginning alone: before any other byte there is one that was sent', async (t) => {
  const buffer = filled(-100, -100)
  t.equal(buffer.together(0, 40), 40)
  for (let from = 1; from < 100; from++) {
    t.equal(buffer.headroom(from), 0)
    t.equal(buffer.together(from, 200 - from), 100 - from, 'the rest of it, so that the next one is whole')
  }
  t.equal(buffer.headroom(100), HEADROOM)
  buffer.trim(100)
  t.equal(buffer.headroom(100), HEADROOM, 'also when what came before it has gone')
  t.equal(buffer.together(100, 1000), 100)
})
