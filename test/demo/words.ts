import { chooseLanguage } from '@engawa/shared/say'

/** What the demo says, in both languages. Blanks in braces are filled in. */
interface Words {
  title: string
  starting: string
  edgeReady: string
  joined: string
  published: string
  asks: string
  answer: string
  echoes: string
  download: string
  cut: string
  resumed: string
  whole: string
  broken: string
  proven: string
  open: string
  tryIt: string
  tryFilm: string
  tryEcho: string
  stay: string
  bye: string
  failed: string
}

const en: Words = {
  title: 'Engawa: a house behind NAT receives its guests',
  starting: 'An edge and an agent start as processes of their own, with state in a temporary folder.',
  edgeReady: 'the edge serves on {http}, agents dial {carrier}',
  joined: 'the agent has joined with a one-time line',
  published: 'published: {public}  →  {target}',
  asks: 'A visitor asks:',
  answer: 'and hears from home:',
  echoes: 'TCP echo through {public}: sent {sent}, heard {heard}',
  download: 'Now {size} MiB are downloaded, and the line between agent and edge is cut in the middle, twice.',
  cut: 'cut at {at} MiB: RST to both sides',
  resumed: 'the download goes on after {ms} ms',
  whole: 'all {size} MiB arrived, SHA-256 as at home: {sha}',
  broken: 'the download came out wrong: {bytes} bytes, {sha}',
  proven: 'It works.',
  open: 'Open in a browser:',
  tryIt: 'Or in another terminal:',
  tryFilm: 'a long download',
  tryEcho: 'the echo (type a word)',
  stay: 'It stays up until Ctrl-C.',
  bye: 'Everything is put away.',
  failed: 'The demo failed:',
}

const ja: Words = {
  title: '縁側: NAT の内側の家に、お客さまを迎えます',
  starting: 'edge と agent をそれぞれ別のプロセスで起動します。状態は一時フォルダーに置きます。',
  edgeReady: 'edge は {http} で待ち受け、agent は {carrier} へつなぎます',
  joined: 'agent は一度きりの参加用コマンドで登録されました',
  published: '公開: {public}  →  {target}',
  asks: '訪問者からのリクエスト:',
  answer: '家からの応答:',
  echoes: '{public} 経由の TCP エコー: {sent} を送り、{heard} が返りました',
  download: '{size} MiB をダウンロードする途中で、agent と edge の間の回線を二度切ります。',
  cut: '{at} MiB で切断: 両側に RST',
  resumed: '{ms} ms 後にダウンロード再開',
  whole: '{size} MiB すべて届きました。SHA-256 は家のものと一致: {sha}',
  broken: 'ダウンロードの内容が違います: {bytes} バイト、{sha}',
  proven: '動いています。',
  open: 'ブラウザーで開く:',
  tryIt: '別の端末で試す:',
  tryFilm: '長いダウンロード',
  tryEcho: 'エコー(何か入力してください)',
  stay: 'Ctrl-C で終了します。',
  bye: 'すべて片付けました。',
  failed: 'デモは失敗しました:',
}

export type Say = (word: keyof Words, blanks?: Readonly<Record<string, string | number>>) => string

/** Speaks the language of the environment. */
export function speaker(env: NodeJS.ProcessEnv): Say {
  const words = { en, ja }[chooseLanguage(undefined, env)]
  return (word, blanks = {}) => words[word].replace(/\{(\w+)\}/g, (_, name: string) => String(blanks[name] ?? ''))
}
