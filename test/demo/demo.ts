// `npm run demo`: edge, agent and two services on this machine, published, proven, and cut in the middle of a download.
import { createHash } from 'node:crypto'
import http from 'node:http'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { commandLine } from '../../scripts/command-line.ts'
import { seededHash } from '../support/bytes.ts'
import { connect, read } from '../support/socket.ts'
import { type Published, World } from '../support/world.ts'
import { speaker } from './words.ts'

const { values } = commandLine({ options: { once: { type: 'boolean' } } })

const MIB = 1024 * 1024
const FILM_MIB = 100
const CUTS_MIB = [30, 70]

const say = speaker(process.env)
const print = (line = ''): void => void process.stdout.write(`${line}\n`)
const head = (line: string): void => print(`\n${styleText('bold', line)}`)
const done = (line: string): void => print(`  ${styleText('green', '✓')} ${line}`)
const quote = (lines: readonly string[]): void => {
  for (const line of lines) print(`    ${styleText('dim', line)}`)
}

const stopped = new Promise<void>((resolve) => {
  process.once('SIGINT', () => resolve())
  process.once('SIGTERM', () => resolve())
})

async function show(here: World): Promise<void> {
  done(say('edgeReady', { http: here.http, carrier: `127.0.0.1:${here.shim?.port}` }))
  const house = await here.start('house', [process.execPath, join(import.meta.dirname, 'house.ts')]).until('ready')
  await here.join('home')
  done(say('joined'))
  const { tunnels } = await here.publish('home', [String(house['web']), `tcp://${Number(house['echo'])}`])
  for (const { public: address, target } of tunnels)
    done(say('published', { public: styleText('cyan', address), target }))
  const [web, echo] = tunnels
  if (web === undefined || echo === undefined) throw new Error('two tunnels were wanted')

  await proveWeb(here, web)
  await proveEcho(echo)
  await proveResume(here, web)
  head(say('proven'))
  if (values.once === true) return
  invite(here, web, echo)
  await stopped
}

async function proveWeb(here: World, web: Published): Promise<void> {
  head(say('asks'))
  quote(['GET / HTTP/1.1', `Host: ${here.host(web.name)}`])
  const response = await get(here, web, '/')
  let body = ''
  for await (const chunk of response) body += String(chunk)
  const title = /<h1>.*<\/h1>/.exec(body)?.[0]
  if (response.statusCode !== 200 || title === undefined) throw new Error(`${response.statusCode} ${body}`)
  print(`  ${say('answer')}`)
  quote([`HTTP/1.1 ${response.statusCode} ${response.statusMessage}`, title, '…'])
}

async function proveEcho({ port, public: address }: Published): Promise<void> {
  const socket = await connect(port)
  const sent = '縁側'
  socket.end(sent)
  const heard = (await read(socket)).toString()
  if (heard !== sent) throw new Error(`echo: ${heard}`)
  print()
  done(say('echoes', { public: address, sent, heard }))
}

async function proveResume(here: World, web: Published): Promise<void> {
  head(say('download', { size: FILM_MIB }))
  const response = await get(here, web, `/film?size=${FILM_MIB * MIB}`)
  const hash = createHash('sha256')
  const cuts = [...CUTS_MIB]
  const told: Promise<void>[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
    const [next] = cuts
    if (next === undefined || bytes < next * MIB) continue
    cuts.shift()
    told.push(cutAndTell(here, Math.round(bytes / MIB)))
  }
  await Promise.all(told)
  const sha = hash.digest('hex')
  if (sha !== seededHash('film', FILM_MIB * MIB)) throw new Error(say('broken', { bytes, sha }))
  done(say('whole', { size: FILM_MIB, sha: `${sha.slice(0, 16)}…` }))
}

async function cutAndTell(here: World, at: number): Promise<void> {
  const after = here.edge.mark
  const cutAt = performance.now()
  here.shim?.reset()
  print(`  ${styleText('yellow', '✂')} ${say('cut', { at })}`)
  await here.edge.until('agent_resumed', { after })
  done(say('resumed', { ms: Math.round(performance.now() - cutAt) }))
}

function invite(here: World, web: Published, echo: Published): void {
  const url = `http://${here.host(web.name)}:${here.http.split(':')[1]}/`
  head(say('open'))
  for (const address of new Set([url, web.public])) print(`    ${styleText('cyan', address)}`)
  head(say('tryIt'))
  print(`    curl ${url}`)
  print(`    curl -o /dev/null '${url}film?size=1073741824'   ${styleText('dim', `# ${say('tryFilm')}`)}`)
  print(`    nc 127.0.0.1 ${echo.port}   ${styleText('dim', `# ${say('tryEcho')}`)}`)
  print(`\n${say('stay')}`)
}

function get(here: World, web: Published, path: string): Promise<http.IncomingMessage> {
  const [host = '', port] = here.http.split(':')
  return new Promise((resolve, reject) => {
    http.get({ host, port, path, agent: false, headers: { Host: here.host(web.name) } }, resolve).on('error', reject)
  })
}

async function main(): Promise<number> {
  print(styleText('bold', say('title')))
  print(say('starting'))
  let here: World | undefined
  try {
    here = await World.open({ shim: true, domain: 'localhost' })
    await Promise.race([show(here), stopped])
    return 0
  } catch (error) {
    console.error(`\n${say('failed')}\n${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    await here?.close()
    print(say('bye'))
  }
}

process.exit(await main())
