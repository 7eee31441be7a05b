import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Our licence and those of everything that is in the executable: Node and the bundled packages. */
export function licences(root: string, inputs: readonly string[]): string {
  const folders = inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(input) ?? [])
  const packages = [...new Set(folders)].toSorted().map((folder) => ({
    title: folder.replace(/^.*node_modules\//, ''),
    text: licenceIn(join(root, folder)),
  }))
  const node = `node-linux-${process.arch}`
  const parts = [
    { title: 'Engawa', text: readFileSync(join(root, 'LICENSE'), 'utf8') },
    { title: 'Node.js', text: licenceIn(join(root, 'node_modules', node)) },
    ...packages,
  ]
  return parts.map(({ title, text }) => `${title}\n${'='.repeat(title.length)}\n\n${text.trim()}\n`).join('\n\n')
}

/** Some packages name their licence in package.json alone. */
function licenceIn(folder: string): string {
  const [file] = globSync(['LICEN[CS]E*', 'licen[cs]e*', 'COPYING*'], { cwd: folder })
  if (file !== undefined) return readFileSync(join(folder, file), 'utf8')
  const described = join(folder, 'package.json')
  if (!existsSync(described)) throw new Error(`no licence in ${folder}`)
  const { license = 'see its package.json' } = JSON.parse(readFileSync(described, 'utf8')) as { license?: string }
  return `Licence: ${license}`
}
