import type { Code } from '@engawa/shared/errors'

/** What a page says: what happened, and what one can do. Nothing about what stands behind. */
export interface PageWords {
  readonly title: string
  readonly text: string
}

type PageLanguage = 'en' | 'ja'

const away = {
  en: {
    title: 'This site is offline',
    text: 'The computer it runs on is not connected right now. Please try again in a moment.',
  },
  ja: {
    title: 'このサイトは現在オフラインです',
    text: 'サイトを動かしているコンピューターが接続されていません。しばらくしてからもう一度お試しください。',
  },
}
const broken = {
  en: {
    title: 'The service broke off',
    text: 'The service behind this address closed the connection before it answered. Please try again.',
  },
  ja: {
    title: 'サービスが途中で切断しました',
    text: 'このアドレスのサービスが、応答する前に接続を閉じました。もう一度お試しください。',
  },
}
const busy = {
  en: { title: 'Too busy right now', text: 'There are too many visitors at the moment. Please try again shortly.' },
  ja: { title: '混み合っています', text: '現在アクセスが集中しています。少し待ってからもう一度お試しください。' },
}
const invalid = {
  en: {
    title: 'This request is not valid',
    text: 'It was not passed on, because it can be understood in more than one way or breaks the rules of HTTP.',
  },
  ja: {
    title: '不正なリクエストです',
    text: 'HTTP の規則に反しているか、複数の意味に取れるため、サービスには渡しませんでした。',
  },
}
const unreachable = {
  en: {
    title: 'The service does not answer',
    text: 'This address works, but the service behind it is not running or cannot be reached.',
  },
  ja: {
    title: 'サービスが応答していません',
    text: 'アドレスは有効ですが、その先のサービスが動いていないか、接続できません。',
  },
}
const tooLarge = {
  en: {
    title: 'This request is too large',
    text: 'Its address line or its header fields are longer than this server takes. Clearing the cookies may help.',
  },
  ja: {
    title: 'リクエストが大きすぎます',
    text: 'アドレスまたはヘッダーが、このサーバーで受け付けられる長さを超えています。Cookie を削除すると直ることがあります。',
  },
}

const WORDS: Partial<Record<Code, Record<PageLanguage, PageWords>>> = {
  HOST_UNKNOWN: {
    en: { title: 'Nothing is published here', text: 'No site has this address. Please check the spelling.' },
    ja: { title: 'ここには何も公開されていません', text: 'このアドレスのサイトはありません。綴りをお確かめください。' },
  },
  AGENT_AWAY: away,
  AGENT_DRAINING: away,
  SERVICE_REFUSED: unreachable,
  SERVICE_UNREACHABLE: unreachable,
  SERVICE_UNKNOWN: unreachable,
  REACH_DENIED: unreachable,
  SERVICE_CERTIFICATE: unreachable,
  SERVICE_LOOP: unreachable,
  SERVICE_TIMEOUT: {
    en: {
      title: 'The service takes too long',
      text: 'It accepted the request but did not answer in time. Please try again.',
    },
    ja: {
      title: 'サービスの応答が遅すぎます',
      text: 'リクエストは届きましたが、時間内に応答がありませんでした。もう一度お試しください。',
    },
  },
  SERVICE_BROKE: broken,
  STREAM_ABORTED: broken,
  SESSION_FULL: busy,
  EDGE_BUSY: busy,
  TOO_MANY: {
    en: { title: 'Too many requests', text: 'Too many connections come from your network. Please slow down.' },
    ja: { title: 'リクエストが多すぎます', text: 'お使いのネットワークからの接続が多すぎます。間隔をあけてください。' },
  },
  BLOCKED: {
    en: { title: 'You have no access here', text: 'The owner of this site has restricted who may visit it.' },
    ja: { title: 'アクセスできません', text: 'このサイトの管理者が、アクセスできる範囲を制限しています。' },
  },
  MISDIRECTED: {
    en: {
      title: 'Wrong connection for this address',
      text: 'The request was sent over a connection that belongs to another site. Please reload.',
    },
    ja: {
      title: 'このアドレス用の接続ではありません',
      text: '別のサイト用の接続でリクエストが送られました。再読み込みしてください。',
    },
  },
  METHOD_REFUSED: {
    en: { title: 'This method is not allowed', text: 'TRACE and CONNECT are never passed on.' },
    ja: { title: '許可されていないメソッドです', text: 'TRACE と CONNECT はサービスに渡されません。' },
  },
  REQUEST_TIMEOUT: {
    en: { title: 'The request came too slowly', text: 'Please check your connection and try again.' },
    ja: { title: 'リクエストが時間内に届きませんでした', text: '通信状態を確かめて、もう一度お試しください。' },
  },
  HOST_INVALID: invalid,
  REQUEST_INVALID: invalid,
  TARGET_TOO_LONG: tooLarge,
  HEAD_TOO_LARGE: tooLarge,
}

const FAILED: Record<PageLanguage, PageWords> = {
  en: { title: 'Something went wrong', text: 'The request could not be answered. Please try again.' },
  ja: { title: '問題が発生しました', text: 'リクエストに応答できませんでした。もう一度お試しください。' },
}

export function wordsOf(code: Code, language: PageLanguage): PageWords {
  return (WORDS[code] ?? FAILED)[language]
}
