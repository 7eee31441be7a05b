/**
 * Whether a Set-Cookie is dropped: its Domain is the edge's domain or one above it, so every other tunnel would get the cookie.
 * Under `localhost` nobody else is there to protect. RFC 6265 §5.2.3, §5.1.3.
 */
export function dropsCookie(setCookie: string, edgeDomain: string): boolean {
  if (edgeDomain === 'localhost') return false
  return setCookie
    .split(';')
    .slice(1)
    .some((attribute) => {
      const equals = attribute.indexOf('=')
      if (equals < 0 || attribute.slice(0, equals).trim().toLowerCase() !== 'domain') return false
      const domain = attribute
        .slice(equals + 1)
        .trim()
        .toLowerCase()
        .replace(/^\.+/, '')
        .replace(/\.+$/, '')
      return domain !== '' && (edgeDomain === domain || edgeDomain.endsWith(`.${domain}`))
    })
}
