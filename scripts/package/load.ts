import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getRawAsset, isSea } from 'node:sea'
import { Script } from 'node:vm'

/**
 * Runs the greater part of a program: one CommonJS script, with what V8 had compiled of it when it was built. Reading
 * and compiling would take longer than all the rest of a start. Both lie beside this file, or inside the executable.
 * Their name tells their content, since V8 would take another script's code if only its length fitted.
 */
export function loadScript(name: string): unknown {
  const source = read(`${name}.cjs`)
  if (source === undefined) throw new Error(`${name}.cjs is missing: build or install again`)
  const compiled = read(`${name}.code`)
  const path = join(__dirname, `${name}.cjs`)
  const script = new Script(
    `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`,
    {
      filename: path,
      // Another version of V8 throws it away.
      ...(compiled && { cachedData: compiled }),
    },
  )
  const module = { exports: {} }
  const run = script.runInThisContext() as (...parts: readonly unknown[]) => void
  run(module.exports, require, module, path, __dirname)
  return module.exports
}

function read(file: string): Buffer | undefined {
  try {
    return isSea() ? Buffer.from(getRawAsset(file)) : readFileSync(join(__dirname, file))
  } catch {
    return undefined
  }
}
