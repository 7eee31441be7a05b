import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

const ROOT = new URL('../..', import.meta.url).pathname

const documents = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)))

/** Code blocks show what people type, not where files are. */
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '')

/** As the hosts of repositories make them: lower case, spaces to hyphens, no punctuation. */
function anchorsOf(markdown: string): Set<string> {
  const titles = [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => title)
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

t.test('every link of a document leads somewhere', async (t) => {
  t.ok(documents.includes('README.md'))
  for (const file of documents) {
    for (const [, link = ''] of read(file).matchAll(/(?:\]\(|src(?:set)?=")([^)"\s]+)[)"]/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? file : normalize(join(dirname(file), path))
      t.ok(existsSync(join(ROOT, target)), `${file} leads to ${target}`)
      if (anchor !== undefined) t.ok(anchorsOf(read(target)).has(anchor), `${file} leads to ${link}`)
    }
  }
})

t.test('every file that a document names by its path is there', async (t) => {
  for (const file of documents) {
    for (const [, path = ''] of read(file).matchAll(/`((?:packages|scripts|test|docs|deploy|\.ci)\/[\w./-]+)`/g)) {
      t.ok(existsSync(join(ROOT, path)), `${file} names ${path}`)
    }
  }
})

t.test('every file and folder on the map of ARCHITECTURE.md is in its room', async (t) => {
  const map = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8')
  const rooms = [...map.matchAll(/^### (packages\/\w+\/src)\n\n```\n([\s\S]*?)^```$/gm)]
  t.equal(rooms.length, 3)
  for (const [, room = '', text = ''] of rooms) {
    for (const [file] of text.matchAll(/[\w*-]+\.ts\b/g)) {
      t.ok(globSync(`${room}/**/${file}`, { cwd: ROOT }).length > 0, `${room} has ${file}`)
    }
    for (const [, folder = ''] of text.matchAll(/(?:^| {2,})(\w+)\/(?= )/gm)) {
      t.ok(existsSync(join(ROOT, room, folder)), `${room} has ${folder}/`)
    }
  }
})
