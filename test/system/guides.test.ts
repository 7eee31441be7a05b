import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseLine } from '@engawa/agent/cli'
import { loadConfig } from '@engawa/agent/config'
import { parseWish } from '@engawa/agent/wish'
import { readLine } from '@engawa/edge/commands/line'
import { edgeSettings } from '@engawa/edge/config'
import { words as edgeWords } from '@engawa/edge/show/words'
import t from 'tap'
import { LONG } from '../support/tools.ts'
import { type World, world } from '../support/world.ts'

const ROOT = join(import.meta.dirname, '../..')
const GUIDES = globSync('docs/guides/*.md', { cwd: ROOT }).toSorted()
const ENGLISH = GUIDES.filter((file) => !file.endsWith('.ja.md'))

/** A block of code, and what the comment before it says of it: `run`, `run: TEST`, `not run: WHY`, `edge.yaml`. */
interface Block {
  readonly note: string | undefined
  readonly language: string
  readonly text: string
}

function blocksOf(file: string): Block[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return [...text.matchAll(/(?:^<!-- (.*) -->\n)?^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ([, note, language = '', code = '']) => ({
      note,
      language,
      text: code,
    }),
  )
}

t.test('each guide is there in both languages, with the same steps', async (t) => {
  t.ok(ENGLISH.length >= 10)
  for (const file of ENGLISH) {
    const other = file.replace(/\.md$/, '.ja.md')
    t.ok(GUIDES.includes(other), other)
    t.same(blocksOf(other), blocksOf(file), other)
    const heads = (of: string): number => readFileSync(join(ROOT, of), 'utf8').match(/^#+ /gm)?.length ?? 0
    t.equal(heads(other), heads(file), `${other} has as many headings`)
  }
})

t.test('each command of a guide is run by a test, or says why not', async (t) => {
  for (const file of ENGLISH) {
    for (const { note, language, text } of blocksOf(file)) {
      if (language !== 'sh') continue
      t.match(note, /^(?:run(?:: \S+\.test\.ts)?|not run: .{10,})$/, `${file}: ${text}`)
      const test = /^run: (\S+)$/.exec(note ?? '')?.[1]
      if (test === undefined) continue
      t.ok(existsSync(join(ROOT, test)), test)
      const source = readFileSync(join(ROOT, test), 'utf8')
      for (const line of text.trim().split('\n')) {
        const [, command = ''] = /^(?:sudo )?(?:apt-get|engawa-edge|npm(?: run)?) (\S+)/.exec(line) ?? []
        t.ok(command === 'ci' || source.includes(command), `${test} does: ${line}`)
      }
    }
  }
})

t.test('the programs take each settings file of a guide', async (t) => {
  const folder = t.testdir({})
  for (const file of ENGLISH) {
    for (const { note, language, text } of blocksOf(file)) {
      if (language !== 'yaml') continue
      const path = join(folder, note ?? '')
      writeFileSync(path, text)
      if (note === 'agent.yaml') t.ok(loadConfig(path, 'en').tunnels.length > 0, file)
      else if (note === 'edge.yaml')
        t.ok(edgeSettings({ flags: {}, file: { path, text }, language: 'en', mayBindLow: true }))
      else t.fail(`${file}: whose is this? ${text}`)
    }
  }
})

/** In the short form those of these; the others are read as the programs read them. */
const SHORT = new Set(['backup.md', 'home-server.md', 'vps.md'])

/** What a guide lets people type, each once. */
function commands(): { file: string; program: string; words: string[] }[] {
  const found = new Map<string, { file: string; program: string; words: string[] }>()
  for (const file of ENGLISH) {
    for (const { note, text } of blocksOf(file)) {
      if (note !== 'run') continue
      for (const line of text.trim().split('\n')) {
        const [, program = '', rest = ''] = /^(?:sudo )?engawa-(edge|agent) (.*)$/.exec(line) ?? []
        if (!found.has(line)) found.set(line, { file: basename(file), program, words: rest.split(' ') })
      }
    }
  }
  return [...found.values()]
}

t.test('the programs understand each command of ours in a guide', async (t) => {
  for (const { file, program, words } of commands()) {
    const where = `${file}: ${program} ${words.join(' ')}`
    if (program === 'edge') {
      // oxlint-disable-next-line no-await-in-loop -- each has a message of its own
      t.ok('command' in (await readLine(words, { words: edgeWords('en'), columns: 80, folder: '/' })), where)
      continue
    }
    // oxlint-disable-next-line no-await-in-loop -- each has a message of its own
    const line = await parseLine(words)
    t.ok(line, where)
    if (line?.command === 'expose') for (const target of line.rest) t.ok(parseWish({ target }), where)
  }
})

t.test('each command of ours in a guide does what it says', async (t) => {
  const here = await world(t)
  await here.join('home')
  const typed = commands().filter(({ file }) => LONG || SHORT.has(file))
  t.ok(typed.length >= 8)
  for (const { file, program, words } of typed) {
    const where = `${file}: ${program} ${words.join(' ')}`
    // oxlint-disable-next-line no-await-in-loop -- a person types one command after the other
    t.equal(await done(here, program, words), undefined, where)
  }
  t.comment(`${typed.length} commands of ${ENGLISH.length} guides`)
})

/** Undefined, or what went wrong. */
async function done(here: World, program: string, words: readonly string[]): Promise<string | undefined> {
  const [command] = words
  if (command === 'expose') {
    // Stays until the end, as a service would: further ones register with it.
    const agent = here.expose('home', ...words.slice(1))
    const told = await agent.until(({ event }) => event === 'tunnel' || event === 'refused', {
      deadlineMs: 30_000,
      witnesses: [here.edge],
    })
    return told.event === 'tunnel' ? undefined : JSON.stringify(told)
  }
  const { code, stdout, stderr } = await (program === 'edge'
    ? here.edgeDo(...(command === 'backup' ? ['backup', here.folder('edge.backup')] : words))
    : command === 'join'
      ? here.agentDo('other', 'join', await here.invite('other'))
      : here.agentDo('home', ...words))
  return code === 0 ? undefined : `exit ${code}\n${stdout}\n${stderr}`
}
