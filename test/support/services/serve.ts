// The services behind the tunnels of a test, as a process of its own: `serve.ts LABEL [HOST]`. Says its ports as one JSON line.
import type net from 'node:net'
import { httpService } from './http.ts'
import { bulkService, echoService } from './tcp.ts'

const [, , label = 'service', host = '127.0.0.1'] = process.argv

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, host, 4096, resolve))
  return (server.address() as net.AddressInfo).port
}

const http = await listen(httpService(label))
const echo = await listen(echoService())
const bulk = await listen(bulkService())
process.stdout.write(`${JSON.stringify({ event: 'ready', label, http, echo, bulk })}\n`)
