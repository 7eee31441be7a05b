import { tryModel } from '../support/model.ts'

/** What becomes of it: every byte once and in order, no false end, nothing left over. */
tryModel(60_000, false)
