/** The two programs that are packaged. */
export const PROGRAMS = ['edge', 'agent'] as const
export type Program = (typeof PROGRAMS)[number]

/** As Node calls them; Debian's names differ for one. */
export const ARCHITECTURES = ['x64', 'arm64'] as const
export type Architecture = (typeof ARCHITECTURES)[number]

export const DEBIAN: Readonly<Record<Architecture, string>> = { x64: 'amd64', arm64: 'arm64' }

/** What is built, and from where. */
export interface Build {
  /** The repository. */
  readonly root: string
  /** Where the results go. */
  readonly out: string
  /** For what is made on the way. */
  readonly scratch: string
  readonly version: string
}
