import { Output } from '@engawa/shared/output'
import { Told } from '../generation/told.ts'
import { program } from './program.ts'

/** Columns where nobody can be asked, and the most that help fills. */
const COLUMNS = { usual: 80, most: 100 }

/** Any process but a front: one command, or a generation. Answers the exit code. */
export async function runProgram(
  argv: readonly string[],
  { isGeneration, nodeHttp }: { isGeneration: boolean; nodeHttp: boolean },
): Promise<number> {
  const stopped = new Told()
  const hungUp = new Told()
  const orders = { stop: () => stopped.tell(), hangup: () => hungUp.tell() }
  // An old Node cannot load it, and is to be told so.
  const peers = isGeneration ? new (await import('../generation/front-peers.ts')).FrontPeers(orders) : undefined
  const output = new Output(process.stdout)
  const exitCode = await program(argv, {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    arrived: () => output.arrived(),
    env: process.env,
    columns: Math.min(process.stdout.columns ?? COLUMNS.usual, COLUMNS.most),
    outIsTty: process.stdout.isTTY,
    errIsTty: process.stderr.isTTY,
    onSignal: (listener) => {
      stopped.hear(listener)
      if (!isGeneration) for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, listener)
    },
    onHangup: (listener) => {
      hungUp.hear(listener)
      if (!isGeneration) process.on('SIGHUP', listener)
    },
    ...(peers && { peers }),
    nodeHttp,
  })
  peers?.leave()
  return exitCode
}
