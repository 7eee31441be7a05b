/** Full figures instead of the short form: `npm run test:long`. */
export const LONG: boolean = process.env['ENGAWA_LONG'] === '1'

/** What a promise's bound of time is multiplied by: the short form has to tell broken from busy. */
export const PATIENCE: number = LONG ? 1 : 3
