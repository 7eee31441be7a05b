type Entry = {
  version?: string
  resolved?: string
  integrity?: string
  link?: boolean
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

/** The parts of package-lock.json, version 3, that the scripts here look at. */
export type Lockfile = { packages: Record<string, Entry> }

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const PROCESSORS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32']

/**
 * The entries that a lockfile lacks for exactly pinned optional dependencies, each with its system and processor read
 * from the name, so that npm passes over it elsewhere. A build that names neither is left to npm.
 */
export function absentBuilds(lock: Lockfile): { path: string; entry: Entry }[] {
  return Object.values(lock.packages).flatMap(({ optionalDependencies = {}, dev }) =>
    Object.entries(optionalDependencies).flatMap(([name, version]) => {
      const path = `node_modules/${name}`
      if (path in lock.packages || !/^\d/.test(version)) return []
      const words = name.split(/[-/]/)
      const os = SYSTEMS.filter((system) => words.includes(system))
      const cpu = PROCESSORS.filter((processor) => words.includes(processor))
      if (os.length + cpu.length === 0) return []
      const libc = words.some((word) => word.startsWith('musl')) ? { libc: ['musl'] } : {}
      const entry = { version, cpu, ...(dev ? { dev } : {}), ...libc, optional: true, os }
      return [{ path, entry: Object.fromEntries(Object.entries(entry).filter(([, v]) => !isEmpty(v))) as Entry }]
    }),
  )
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
