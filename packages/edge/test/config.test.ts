import { type EdgeFlags, type EdgeSettings, edgeSettings } from '@engawa/edge/config'
import type { Language } from '@engawa/shared/say'
import t from 'tap'

function settings(flags: EdgeFlags, text?: string, language: Language = 'en', mayBindLow = false): EdgeSettings {
  const file = text === undefined ? undefined : { path: 'edge.yaml', text }
  return edgeSettings({ flags, file, language, mayBindLow })
}

t.test('defaults', async (t) => {
  const usual = settings({})
  t.match(usual, {
    domain: 'localhost',
    http: { host: '', port: 8080 },
    https: { host: '', port: 8443 },
    carrier: undefined,
    publicHosts: [],
    admin: { host: '127.0.0.1', port: 7400 },
    tcpPorts: [[1024, 65_535]],
    bind: '',
    graceMs: 120_000,
    drainMs: 30_000,
    handOverDrainMs: 600_000,
    trustedProxies: [],
    accessLog: undefined,
  })
  t.match(settings({}, '', 'en', true), { http: { port: 80 }, https: { port: 443 } })
})

t.test('the figures of promises.md', async (t) => {
  t.same(settings({}).limits, {
    connections: 16_384,
    perAddress: { connections: 256, newPerSecond: 100, burst: 300 },
    unpeekedSockets: 1024,
    handshakeMs: 10_000,
    requestHeadMs: 10_000,
    requestHeadBytes: 16_384,
    requestFields: 100,
    requestTargetBytes: 8192,
    bodyBytesPerSecond: 1024,
    bodyGraceMs: 10_000,
    http2IdleMs: 300_000,
    http2Streams: 100,
    http2RequestsPerAddress: 512,
    http2ResetsPerSecond: 20,
    http2ResetBurst: 200,
    keepAliveIdleMs: 60_000,
    responseHeadBytes: 32_768,
    interimResponses: 10,
    responseHeadMs: 120_000,
    memoryBusyPercent: 70,
    memoryFullPercent: 85,
    held: { forMs: 10_000, requests: 1000, bytes: 16_777_216 },
    udp: { flows: 4096, flowsPerAddress: 64, idleMs: 60_000 },
    carriers: {
      pending: 100,
      pendingPerAddress: 10,
      waiting: 1000,
      waitingPerAddress: 250,
      handshakeMs: 10_000,
      handshakeBytes: 65_536,
    },
    certificates: { ordersPerHour: 20, ordersPerNamePerHour: 5 },
    perAgent: {
      names: 100,
      ports: 2000,
      streams: 2048,
      messagesPerSecond: 200,
      messageBurst: 400,
      bufferBytes: 67_108_864,
      carriers: 16,
    },
  })
})

t.test('flags win over the file, the file over defaults', async (t) => {
  const file = `
domain: Example.com
http: ":8000"
https: off
carrier: ":7443"
public-host: [203.0.113.5, "edge.example.com:7443"]
tcp-ports: 20000-20010,3000
udp-ports: 5000
grace: 1m
drain: 2m
handover-drain: 1h
trusted_proxies: [10.0.0.0/8, 192.0.2.1]
limits: { connections: 10, perAddress: { burst: 7 } }
`
  t.match(settings({}, file), {
    domain: 'example.com',
    http: { host: '', port: 8000 },
    https: 'off',
    carrier: { port: 7443 },
    publicHosts: [
      { host: '203.0.113.5', port: undefined },
      { host: 'edge.example.com', port: 7443 },
    ],
    tcpPorts: [
      [3000, 3000],
      [20_000, 20_010],
    ],
    udpPorts: [[5000, 5000]],
    graceMs: 60_000,
    drainMs: 120_000,
    handOverDrainMs: 3_600_000,
    trustedProxies: ['10.0.0.0/8', '192.0.2.1/32'],
    limits: { connections: 10, perAddress: { connections: 256, burst: 7 } },
  })
  const flags = {
    domain: 'localhost',
    http: '127.0.0.1:0',
    publicHost: ['::1'],
    tcpPorts: '1-2',
    grace: '5s',
    drain: '1s',
    handOverDrain: '0s',
  }
  t.match(settings({ ...flags, https: ':1', admin: 'off', bind: '[::1]' }, file), {
    domain: 'localhost',
    http: { host: '127.0.0.1', port: 0 },
    https: { port: 1 },
    admin: 'off',
    publicHosts: [{ host: '::1', port: undefined }],
    tcpPorts: [[1, 2]],
    bind: '::1',
    graceMs: 5000,
    drainMs: 1000,
    handOverDrainMs: 0,
  })
})

const wrongFlags: [flags: EdgeFlags, message: RegExp, ja: RegExp][] = [
  [{ domain: 'a_b.com' }, /^--domain: "a_b.com" is no domain; write/, /ドメイン名/],
  [{ http: '80' }, /^--http: "80" is no address; write HOST:PORT/, /アドレス/],
  [{ https: 'on' }, /^--https: "on" is no address/, /アドレス/],
  [{ carrier: 'x:y' }, /^--carrier: /, /アドレス/],
  [{ publicHost: ['a.b', 'a/b'] }, /^--public-host: "a\/b"/, /アドレス/],
  [{ admin: ':99999' }, /^--admin: /, /アドレス/],
  [{ tcpPorts: '70000' }, /^--tcp-ports: "70000" is no port/, /ポート/],
  [{ udpPorts: '5-1' }, /^--udp-ports: /, /ポート/],
  [{ bind: 'eth0' }, /^--bind: "eth0" is no address of this machine/, /IP アドレス/],
  [{ grace: '2d' }, /^--grace: "2d" is too long; write 0s to 24h/, /長すぎます/],
  [{ drain: '30d' }, /^--drain: "30d" is too long; write 0s to 24h/, /長すぎます/],
  [{ handOverDrain: '30d' }, /^--handover-drain: "30d" is too long; write 0s to 24h/, /長すぎます/],
  [{ drain: 'soon' }, /^--drain: "soon" is no duration/, /時間ではありません/],
  [{ handOverDrain: '1' }, /^--handover-drain: "1" is no duration/, /時間ではありません/],
  [{ https: 'off' }, /with --https off, agents need --carrier/, /--carrier/],
  [{ http: ':80', https: ':80' }, /--http and --https are the same address/, /同じアドレス/],
]
for (const [flags, message, ja] of wrongFlags) {
  t.test(`${JSON.stringify(flags)} is refused`, async (t) => {
    t.throws(() => settings(flags), { code: 'FLAG_INVALID', message, ja })
  })
}

const wrongFiles: [text: string, message: RegExp][] = [
  ['colour: red', /^edge\.yaml:1:1 colour: unknown key, allowed are domain, http,/],
  ['domain: localhost\ngrace: soon', /^edge\.yaml:2:1 grace: "soon" is no duration/],
  [
    'limits:\n  perAddress:\n    brst: 1',
    /^edge\.yaml:3:5 limits\.perAddress\.brst: unknown key, allowed are connections, newPerSecond, burst$/,
  ],
  ['limits: { connections: 0 }', /^edge\.yaml:1:11 limits\.connections: /],
  ['trusted_proxies: [nonsense]', /^edge\.yaml:1:19 trusted_proxies\[0\]: "nonsense" is no network/],
  ['tcp-ports: 70000', /^edge\.yaml:1:1 tcp-ports: /],
  ['http: 8080', /^edge\.yaml:1:1 http: /],
]
for (const [text, message] of wrongFiles) {
  t.test(`${JSON.stringify(text)} is refused at its place`, async (t) => {
    t.throws(() => settings({}, text), { code: 'CONFIG_INVALID', message })
    t.throws(() => settings({}, text, 'ja'), { code: 'CONFIG_INVALID', ja: /^edge\.yaml:\d/ })
  })
}

t.test('the access log has a file and a format', async (t) => {
  t.same(settings({}, 'access_log: { file: access.log }').accessLog, { file: 'access.log', format: 'json' })
  t.same(settings({}, 'access_log: { file: stderr, format: combined }').accessLog, {
    file: 'stderr',
    format: 'combined',
  })
  t.throws(() => settings({}, 'access_log: { file: x, format: xml }'), {
    code: 'CONFIG_INVALID',
    message: /:1:\d+ access_log\.format/,
  })
  t.throws(() => settings({}, 'access_log: { format: json }'), { code: 'CONFIG_INVALID', message: /access_log\.file/ })
})
