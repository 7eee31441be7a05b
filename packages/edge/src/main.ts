#!/usr/bin/env node
import { program } from './commands/program.ts'

/** Columns where nobody can be asked, and the most that help fills. */
const COLUMNS = { usual: 80, most: 100 }

// Who reads our output may leave first (`| head`): that is no reason to stop serving.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

process.exitCode = await program(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  columns: Math.min(process.stdout.columns ?? COLUMNS.usual, COLUMNS.most),
  outIsTty: process.stdout.isTTY,
  errIsTty: process.stderr.isTTY,
  onSignal: (listener) => {
    process.on('SIGINT', listener)
    process.on('SIGTERM', listener)
  },
  onHangup: (listener) => process.on('SIGHUP', listener),
})
