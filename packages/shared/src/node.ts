import { EngawaError } from './errors.ts'

/** As `engines` of the packages say it, of which npm only warns: before it `node:sqlite` does not load in silence. */
export const OLDEST_NODE = '24.15'

/** Whether a Node of this version runs the programs. */
export function isNodeNewEnough(version: string = process.versions.node): boolean {
  const [[major = 0, minor = 0], [oldestMajor = 0, oldestMinor = 0]] = [version, OLDEST_NODE].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]]
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

/** Throws NODE_TOO_OLD, in place of whatever the missing parts of that Node would say. */
export function needNode(version: string = process.versions.node): void {
  if (isNodeNewEnough(version)) return
  throw new EngawaError('NODE_TOO_OLD', `this is Node.js ${version}; Engawa needs ${OLDEST_NODE} or newer`, {
    ja: `Node.js ${version} では動きません。${OLDEST_NODE} 以降が必要です`,
  })
}
