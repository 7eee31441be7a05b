/** Whether a field of a message is as it should be. */
export type Check = (value: unknown) => boolean

/** What a message has to hold; fields beyond that are ignored, so that a newer peer can say more. */
export type Shape = Readonly<Record<string, Check>>

export function text(most: number): Check {
  return (value) => typeof value === 'string' && value.length <= most
}

export function whole(least: number, most: number): Check {
  return (value) => Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
}

export function listOf(most: number, check: Check): Check {
  return (value) => Array.isArray(value) && value.length <= most && value.every(check)
}

export function maybe(check: Check): Check {
  return (value) => value === undefined || check(value)
}
