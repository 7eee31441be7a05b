import { STATUS_CODES } from 'node:http'

const JAPANESE: Readonly<Record<number, string>> = {
  301: '末尾に / を付けたアドレスへ移動してください',
  400: 'このアドレスは読めません',
  404: 'ここには何もありません',
  405: 'ここでは読むことだけができます',
  412: 'ファイルが条件と一致しません',
  416: '求められた範囲はこのファイルにありません',
}
const ENGLISH: Readonly<Record<number, string>> = {
  301: 'Go to this address with a / at its end',
  400: 'This address cannot be read',
  404: 'There is nothing here',
  405: 'Nothing but reading is done here',
  412: 'The file does not meet the condition',
  416: 'This file has no such range',
}

/** A short page that says what became of a request for a file. */
export function notePage(status: number, language: 'en' | 'ja'): string {
  const text = (language === 'ja' ? JAPANESE : ENGLISH)[status] ?? STATUS_CODES[status] ?? ''
  return `<!doctype html>
<html lang="${language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${status}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;margin:15vh auto;max-width:36em;padding:0 1em}</style>
<h1>${status}</h1><p>${text}</p>
</html>
`
}
