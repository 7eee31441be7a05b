/** xorshift32: the same run each time. */
export function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

const SPICE: readonly string[] = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  '_',
  '%',
  ';',
  '"',
  '#',
  '\xff',
  '\x7f',
  '\x01',
  'a',
  '0',
  '9',
  '-',
  '+',
  '\r\n ',
  '\r\n\t',
  ' \r\n',
  ': ',
  ' :',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Content-Length: 1\r\n',
  'content-length: 01\r\n',
  'Content-Length: 1, 1\r\n',
  'Connection: close\r\n',
  'Connection: keep-alive, x\r\n',
  'Host: b.example\r\n',
  'Upgrade: websocket\r\n',
  'Connection: Upgrade\r\n',
  'Expect: 100-continue\r\n',
  'HTTP/1.0',
  'HTTP/1.1',
  'http/1.1',
  'GET ',
  'HEAD ',
]

/** One to four changes of a text, of the kinds that parsers have been told apart by. */
export function mutate(bytes: string, pick: (below: number) => number): string {
  let text = bytes
  for (let times = pick(4); times >= 0; times--) {
    const at = pick(text.length + 1)
    const [head, tail] = [text.slice(0, at), text.slice(at)]
    const spice = SPICE[pick(SPICE.length)] ?? ''
    const line = text.indexOf('\r\n', at)
    const kinds = [
      head + spice + tail,
      head + tail.slice(1 + pick(4)),
      head + String.fromCharCode(pick(256)) + tail.slice(1),
      head + tail.slice(0, pick(20)) + tail,
      // Whole lines, which keep the rest of a head in order.
      line < 0 ? text : text.slice(0, line + 2) + spice + text.slice(line + 2),
    ]
    text = kinds[pick(kinds.length)] ?? text
  }
  return text
}
