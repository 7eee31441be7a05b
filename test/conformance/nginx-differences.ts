/** Where nginx lets the service see something else than we do. */
interface Difference {
  /** As in `Row`. */
  readonly sees: readonly string[]
  readonly why: string
}

/** `FAMILY: NAME` of a row, and what the service sees behind nginx. */
type Seen = Readonly<Record<string, readonly string[]>>

/** Why both readings are right, or ours is the safer one. */
const REASONS: readonly (readonly [why: string, seen: Seen])[] = [
  [
    'nginx takes a bare LF for the end of a line, as RFC 9112 §2.2 lets it; we refuse, since a reader before or behind us may not',
    {
      'request line: the line ends in a bare LF': ['GET /x'],
      'framing: TE.TE: behind a bare LF': ['POST /p', 'GET /smuggled'],
      'fields: a bare LF in a value': ['GET /x'],
      'fields: a field that ends in LF': ['GET /x'],
      'fields: CR CR LF': ['GET /x'],
      'fields: the head ends in LF LF': ['GET /x'],
      'chunks: a size that ends in LF': ['POST /p +5', 'GET /smuggled'],
      'chunks: an extension that ends in LF': ['POST /p +5', 'GET /smuggled'],
      'chunks: data that ends in LF': ['POST /p +5', 'GET /smuggled'],
      'chunks: the last chunk ends in LF': ['POST /p +5', 'GET /smuggled'],
      'chunks: the end is LF': ['POST /p +5', 'GET /smuggled'],
    },
  ],
  [
    "nginx skips blanks and extensions behind a chunk's size, of any length; we take what RFC 9112 §7.1.1 allows, and little of it",
    {
      'chunks: a blank behind the size': ['POST /p +5', 'GET /smuggled'],
      'chunks: a tab behind the size': ['POST /p +5', 'GET /smuggled'],
      'chunks: a blank before the extension': ['POST /p +5', 'GET /smuggled'],
      'chunks: an extension with NUL': ['POST /p +5', 'GET /smuggled'],
      'chunks: an extension of 20,000 bytes': ['POST /p +5', 'GET /smuggled'],
    },
  ],
  [
    'nginx skips trailers without reading them; we pass on good ones, so we read them all',
    {
      'chunks: a trailer that frames by length': ['POST /p +5', 'GET /smuggled'],
      'chunks: a trailer that frames by coding': ['POST /p +5', 'GET /smuggled'],
      'chunks: a trailer that ends in LF': ['POST /p +5', 'GET /smuggled'],
      'chunks: a folded trailer': ['POST /p +5', 'GET /smuggled'],
      'chunks: a trailer with a blank before the colon': ['POST /p +5', 'GET /smuggled'],
      'chunks: a trailer with NUL': ['POST /p +5', 'GET /smuggled'],
      'chunks: a trailer of 40,000 bytes': ['POST /p +5', 'GET /smuggled'],
    },
  ],
  [
    'nginx drops a field whose name it does not like and goes on by what is left; we refuse, since whoever stands before us may have gone by that field',
    {
      'framing: an alias: Content_Length': ['POST /p'],
      'framing: TE.TE: an alias': ['POST /p'],
      'framing: CL beside TE: an alias': ['POST /p +4', 'GET /smuggled'],
      'framing: TE.TE: a letter above ASCII': ['POST /p'],
      'framing: CL beside TE: a letter above ASCII': ['POST /p +4', 'GET /smuggled'],
      'fields: no colon': ['GET /x'],
      'fields: a bracket in a name': ['GET /x'],
      'fields: an at in a name': ['GET /x'],
      'fields: quotes in a name': ['GET /x'],
      'fields: a byte above ASCII in a name': ['GET /x'],
      'fields: a name of a slash': ['GET /x'],
      'fields: an alias: X_Forwarded_For': ['GET /x'],
      'fields: an alias: X-Forwarded_For': ['GET /x'],
      'fields: an alias: x_real_ip': ['GET /x'],
      'fields: an alias: X_REAL-IP': ['GET /x'],
      'fields: an alias: Forwarded_': ['GET /x'],
      'fields: an alias: X_Y': ['GET /x'],
      'fields: an alias: _': ['GET /x'],
    },
  ],
  [
    'nginx knows no limit of fields, only of bytes',
    {
      'fields: 101 fields': ['GET /x'],
    },
  ],
  [
    'nginx looks at the name in Host alone and passes that on; we refuse a port that is none',
    {
      'Host: an empty port': ['GET /x'],
      'Host: a port of letters': ['GET /x'],
      'Host: a port too high': ['GET /x'],
      'Host: a signed port': ['GET /x'],
      'Host: two ports': ['GET /x'],
      'Host: a port and a name behind it': ['GET /x'],
    },
  ],
  [
    'nginx trims blanks and not tabs, which RFC 9110 §5.6.3 counts as blanks',
    {
      'Host: blanks around it': [],
      'framing: TE with blanks around it': [],
      'fields: blanks around a value': [],
    },
  ],
  [
    'nginx takes absolute-form, as RFC 9112 §3.2.2 asks of a server, and goes by its authority; nobody sends it to a tunnel, so we refuse rather than weigh two authorities',
    {
      'request line: absolute-form': ['GET /x'],
      'request line: absolute-form, https': ['GET /x'],
    },
  ],
  [
    'nginx takes any method of capital letters; we know those of the registry',
    {
      'request line: an unknown method': ['FROB /x'],
      'request line: TRACK': ['TRACK /x'],
    },
  ],
  [
    'nginx takes any minor version above 1.1 for it (RFC 9110 §2.5); no such version exists, and our parser refuses it',
    {
      'request line: HTTP/1.2': ['GET /x'],
      'request line: HTTP/1.10': ['GET /x'],
    },
  ],
  [
    'nginx parses on blanks, as RFC 9112 §3 lets it',
    {
      'request line: a blank after the version': ['GET /x'],
    },
  ],
  [
    'nginx knows no protocol but HTTP',
    {
      'request line: another protocol: RTSP': [],
      'request line: another protocol: ICE': [],
    },
  ],
  [
    "nginx decodes the path to find its location and refuses what it cannot decode; to us a path is the service's own matter",
    {
      'request line: encoded slash and NUL': [],
      'request line: a torn percent': [],
    },
  ],
  [
    'nginx passes a fragment on, which no target may have (RFC 9112 §3.2.1)',
    {
      'request line: a fragment': ['GET /x#y'],
    },
  ],
  [
    'nginx ignores expectations that it does not know, as RFC 9110 §10.1.1 lets it',
    {
      'fields: an expectation that nobody knows': ['GET /x'],
      'fields: two expectations': ['GET /x'],
    },
  ],
  [
    'nginx without a line for it does not upgrade and reads on; we ask the service, and end the connection when it does not',
    {
      'connection: Upgrade, and a request behind it': ['GET /x', 'GET /smuggled'],
      'connection: Upgrade with a wrong version': ['GET /x', 'GET /smuggled'],
      'connection: Upgrade in a POST': ['POST /p', 'GET /second'],
      'connection: Upgrade that the service takes, and bytes behind it': ['GET /switch'],
    },
  ],
]

export const DIFFERENCES: ReadonlyMap<string, Difference> = new Map(
  REASONS.flatMap(([why, seen]) => Object.entries(seen).map(([name, sees]) => [name, { sees, why }] as const)),
)
