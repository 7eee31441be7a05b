// Loaded with --require while a program runs once (compile.ts): keeps what V8 has compiled of its script by the end.
// Of the processes that run the same script, the one that has compiled most is kept. A SHA-256 stands before it (load.ts).
const { hash } = require('node:crypto')
const { statSync, writeFileSync } = require('node:fs')
const v8 = require('node:v8')
const vm = require('node:vm')

// What is compiled under other flags than a start has would not be taken.
v8.setFlagsFromString = () => {}

const kept = new Map()
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options)
    const isThere = statSync(codeOf(options.filename), { throwIfNoEntry: false }) !== undefined
    // Rejected by V8, or damaged and not even offered to it.
    if (isThere && this.cachedDataRejected !== false)
      throw new Error(`${options.filename}: its compiled code is not taken`)
    kept.set(options.filename, this)
  }
}
process.on('exit', () => {
  for (const [path, script] of kept) {
    const code = script.createCachedData()
    const whole = Buffer.concat([hash('sha256', code, 'buffer'), code])
    const size = statSync(codeOf(path), { throwIfNoEntry: false })?.size ?? 0
    if (whole.length > size) writeFileSync(codeOf(path), whole)
  }
})

function codeOf(path) {
  return path.replace(/\.cjs$/, '.code')
}
