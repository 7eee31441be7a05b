// Loaded with --require while a program runs once (compile.ts): keeps what V8 has compiled of its script by the end.
// Of the processes that run the same script, the one that has compiled most is kept.
const { statSync, writeFileSync } = require('node:fs')
const vm = require('node:vm')

const kept = new Map()
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options)
    if (this.cachedDataRejected === true) throw new Error(`${options.filename}: its compiled code is not taken`)
    kept.set(options.filename, this)
  }
}
process.on('exit', () => {
  for (const [path, script] of kept) {
    const code = script.createCachedData()
    const file = path.replace(/\.cjs$/, '.code')
    const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0
    if (code.length > size) writeFileSync(file, code)
  }
})
