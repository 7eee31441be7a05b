import { readFileSync } from 'node:fs'
import { readConfig } from '@engawa/shared/config'
import { EngawaError } from '@engawa/shared/errors'
import type { Language } from '@engawa/shared/say'
import { z } from 'zod'
import { complaint } from './complaint.ts'
import { checkFit, WISH_SCHEMA, type Wish } from './wish.ts'

/** agent.yaml. */
const SCHEMA = z
  .strictObject({
    tunnels: z
      .array(
        WISH_SCHEMA.superRefine((wish, context) => {
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
  })
  .superRefine(({ tunnels }, context) => {
    const names = new Set<string>()
    tunnels.forEach(({ name }, index) => {
      if (name !== undefined && names.has(name)) {
        const { message, ja } = complaint('CONFIG_INVALID', (words) => words.nameTwice(name))
        context.addIssue({ code: 'custom', path: ['tunnels', index, 'name'], message, params: { ja } })
      }
      if (name !== undefined) names.add(name)
    })
  })

/** The tunnels that agent.yaml lists. Throws CONFIG_INVALID, `FILE:LINE:COLUMN key: …` where something in it is wrong. */
export function loadConfig(file: string, language: Language): readonly Wish[] {
  return readConfig({ file, text: readText(file), language }, SCHEMA).tunnels
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
