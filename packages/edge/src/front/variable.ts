/** Tells a child that it is a generation; it removes this from its environment. */
export const GENERATION_VARIABLE = 'ENGAWA_GENERATION'
