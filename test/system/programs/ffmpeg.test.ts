import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { freePort } from '../../../packages/edge/test/support/ports.ts'
import { run } from '../../support/command.ts'
import type { Program } from '../../support/program.ts'
import { StandIn } from '../../support/stand-in.ts'
import { findTool, without } from '../../support/tools.ts'
import { type World, world } from '../../support/world.ts'

/** Two seconds of a moving picture. */
const FRAMES = 50
const FFMPEG = findTool('ffmpeg') ?? 'ffmpeg'

/** A film; what its frames look like, one hash each. */
async function film(here: World): Promise<{ path: string; frames: string[] }> {
  const path = here.folder('film.avi')
  const source = ['-f', 'lavfi', '-i', `testsrc=size=320x240:rate=25:duration=${FRAMES / 25}`]
  const made = await run([FFMPEG, '-v', 'error', ...source, '-c:v', 'mpeg4', '-g', '10', path])
  if (made.code !== 0) throw new Error(made.stderr)
  const shown = await run([FFMPEG, '-v', 'error', '-i', path, '-f', 'framemd5', '-'])
  return { path, frames: hashesOf(shown.stdout.split('\n')) }
}

function hashesOf(lines: readonly string[]): string[] {
  return lines.filter((line) => /^\d/.test(line)).map((line) => line.split(',').at(-1)?.trim() ?? '')
}

/** As the kernel tells it: to ask the port itself would be a camera's visit. */
async function bound(transport: 'tcp' | 'udp', port: number, by: Program): Promise<void> {
  const local = new RegExp(
    `: [0-9A-F]{8}:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0[7A] `,
    'm',
  )
  while (!local.test(readFileSync(`/proc/net/${transport}`, 'utf8'))) {
    if (by.exit !== undefined) throw new Error(by.report())
    // oxlint-disable-next-line no-await-in-loop -- until it is there
    await delay(20)
  }
}

t.test('a camera sends a recorder its film', { skip: without('ffmpeg') }, async (t) => {
  const here = await world(t)
  await here.join('home')
  // Of the recorder at home and of visitors: one for RTSP, and two in a row for RTP with its RTCP.
  const port = await freePort(6)
  const [live, rtp, publicRtp] = [port + 1, port + 2, port + 4]
  const { path, frames } = await film(here)
  t.equal(frames.length, FRAMES)
  const standIn = await StandIn.open(port)
  const { agent } = await here.publish('home', `tcp://${port}`, '--name', 'live', '--port', `${live}`)
  await standIn.leave(agent, live)
  await here.publish('home', `udp://${rtp}-${rtp + 1}`, '--name', 'rtp', '--port', `${publicRtp}-${publicRtp + 1}`)

  t.test('by RTSP over TCP: every frame', async (t) => {
    const listen = ['-rtsp_flags', 'listen', '-i', `rtsp://127.0.0.1:${port}/live`]
    const recorder = here.start('recorder', [FFMPEG, '-v', 'error', ...listen, '-f', 'framemd5', '-'])
    await bound('tcp', port, recorder)
    const to = ['-f', 'rtsp', '-rtsp_transport', 'tcp', `rtsp://127.0.0.1:${live}/live`]
    const sent = await run([FFMPEG, '-v', 'error', '-re', '-i', path, '-c', 'copy', ...to])
    t.equal(sent.code, 0, sent.stderr)
    t.equal((await recorder.exited).code, 0, recorder.report())
    t.same(hashesOf(recorder.lines), frames)
  })

  t.test('by RTP over UDP, with RTCP on the next port: what comes is whole', async (t) => {
    const sdp = here.folder('film.sdp')
    const described = await run([
      FFMPEG,
      '-v',
      'error',
      '-i',
      path,
      '-c',
      'copy',
      '-t',
      '0.1',
      '-f',
      'rtp',
      '-sdp_file',
      sdp,
      `rtp://127.0.0.1:${rtp}`,
    ])
    t.equal(described.code, 0, described.stderr)
    const read = ['-protocol_whitelist', 'file,udp,rtp', '-i', sdp, '-frames:v', String(FRAMES / 2)]
    const recorder = here.start('recorder', [FFMPEG, '-v', 'error', ...read, '-f', 'framemd5', '-'])
    await bound('udp', rtp, recorder)
    await bound('udp', rtp + 1, recorder)
    // Again and again, as a camera: UDP may lose some of it.
    const camera = here.start('camera', [
      FFMPEG,
      '-v',
      'error',
      '-re',
      '-stream_loop',
      '-1',
      '-i',
      path,
      '-c',
      'copy',
      '-f',
      'rtp',
      `rtp://127.0.0.1:${publicRtp}`,
    ])
    t.equal((await recorder.exited).code, 0, recorder.report())
    await camera.kill()
    const got = hashesOf(recorder.lines)
    const whole = got.filter((hash) => frames.includes(hash)).length
    t.equal(got.length, FRAMES / 2)
    t.ok(whole >= got.length / 2, `${whole} of ${got.length} frames`)
    t.comment(`${whole} of ${got.length} frames came whole over UDP`)
  })
})
