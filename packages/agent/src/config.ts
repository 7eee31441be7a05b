import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Address, parseAddress } from '@engawa/shared/addresses'
import { parsedText, readConfig } from '@engawa/shared/config'
import { EngawaError } from '@engawa/shared/errors'
import { shownName } from '@engawa/shared/names'
import { parseWithinDay } from '@engawa/shared/quantities'
import type { Language } from '@engawa/shared/say'
import { z } from 'zod'
import { complaint } from './complaint.ts'
import { checkFit, type Wish, wishSchema } from './wish.ts'

/** More would only share the same line. */
const MOST_CARRIERS = 8

export interface AgentConfig {
  readonly tunnels: readonly Wish[]
  /** Carriers of the session; `--carriers` wins, and so on. */
  readonly carriers?: number | undefined
  readonly drainMs?: number | undefined
  readonly admin?: Address | undefined
}

/** agent.yaml, in the folder `base`. */
export function configSchema(base: string): z.ZodType<AgentConfig> {
  return z
    .strictObject({
      tunnels: z
        .array(
          wishSchema(base).superRefine((wish, context) => {
            try {
              checkFit(wish)
            } catch (error) {
              if (!(error instanceof EngawaError)) throw error
              context.addIssue({ code: 'custom', message: error.message, params: { ja: error.ja } })
            }
          }),
        )
        .max(100)
        .default([]),
      carriers: z.number().int().min(1).max(MOST_CARRIERS).optional(),
      drain: parsedText(parseWithinDay).optional(),
      admin: parsedText(parseAddress).optional(),
    })
    .superRefine(({ tunnels }, context) => {
      /** By name, whether all that have it take turns. */
      const names = new Map<string, boolean>()
      tunnels.forEach(({ name, balance = false }, index) => {
        if (name !== undefined && names.has(name) && !(balance && names.get(name))) {
          const { message, ja } = complaint('CONFIG_INVALID', (words) => words.nameTwice(shownName(name)))
          context.addIssue({ code: 'custom', path: ['tunnels', index, 'name'], message, params: { ja } })
        }
        if (name !== undefined) names.set(name, balance && (names.get(name) ?? true))
      })
    })
    .transform(({ drain, ...rest }) => ({ ...rest, drainMs: drain }))
}

/** What agent.yaml says. Throws CONFIG_INVALID, `FILE:LINE:COLUMN key: …` where something in it is wrong. */
export function loadConfig(file: string, language: Language): AgentConfig {
  return readConfig({ file, text: readText(file), language }, configSchema(dirname(resolve(file))))
}

/** `--carriers`. Throws FLAG_INVALID. */
export function parseCarriers(text: string): number {
  if (/^[1-8]$/.test(text)) return Number(text)
  throw complaint('FLAG_INVALID', (words) => words.flagChoice('--carriers', text, `1-${MOST_CARRIERS}`))
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOENT') throw complaint('CONFIG_INVALID', (words) => words.noConfig(file), cause)
    throw complaint('CONFIG_INVALID', () => `${file}: ${(cause as Error).message}`, cause)
  }
}
