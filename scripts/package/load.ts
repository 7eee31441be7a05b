import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getRawAsset, isSea } from 'node:sea'
import { Script } from 'node:vm'

/** SHA-256, ahead of the code: 2 ms for the larger of the two programs. */
const DIGEST_BYTES = 32

/**
 * Runs the greater part of a program: one CommonJS script, with what V8 had compiled of it when it was built. Reading
 * and compiling would take longer than all the rest of a start. Both lie beside this file, or inside the executable.
 * Their name tells their content, since V8 would take another script's code if only its length fitted.
 */
export function loadScript(name: string): unknown {
  const source = read(`${name}.cjs`)
  if (source === undefined) throw new Error(`${name}.cjs is missing: build or install again`)
  const compiled = compiledCode(`${name}.code`)
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

/** What `keep-code.cjs` wrote; V8 believes every byte of it, and a damaged one would end the process. */
function compiledCode(file: string): Buffer | undefined {
  const kept = read(file)
  if (kept === undefined) return undefined
  const code = kept.subarray(DIGEST_BYTES)
  if (hash('sha256', code, 'buffer').equals(kept.subarray(0, DIGEST_BYTES))) return code
  // As pino would write it, which is in the script that is to be loaded.
  const msg = `${file} is damaged: the start takes longer without it; build or install again`
  process.stderr.write(`${JSON.stringify({ level: 'warn', time: new Date().toISOString(), msg })}\n`)
  return undefined
}

function read(file: string): Buffer | undefined {
  try {
    return isSea() ? Buffer.from(getRawAsset(file)) : readFileSync(join(__dirname, file))
  } catch {
    return undefined
  }
}
