/** What a promise's bound of time is multiplied by: the short form has to tell broken from busy. `ENGAWA_LONG` is the long one. */
export const PATIENCE: number = process.env['ENGAWA_LONG'] === '1' ? 1 : 3
