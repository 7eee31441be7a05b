import { tryModel } from '../support/model.ts'

/** The same, and every frame on the way is held against protocol.md. */
tryModel(40_000, true)
