/** One self-contained page: no script, no font, no image from elsewhere, so that it shows even when everything else fails. */
export function page({
  language,
  title,
  text,
  status,
  code,
}: {
  language: 'en' | 'ja'
  title: string
  text: string
  status: number
  code: string
}): string {
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>
:root { color-scheme: light dark; --ink: #2b2a27; --soft: #6f6b63; --paper: #faf8f4; --line: #d9b98a; --wood: #a9753c }
@media (prefers-color-scheme: dark) { :root { --ink: #ece8e1; --soft: #a39d92; --paper: #1c1b19; --line: #6d5433; --wood: #d29b5b } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 2rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.7 system-ui, "Hiragino Sans", "Noto Sans JP", "Noto Sans CJK JP", "Yu Gothic UI", Meiryo, sans-serif }
main { width: 100%; max-width: 34rem; border-top: 6px solid var(--wood); padding-top: 2rem;
  background: repeating-linear-gradient(90deg, var(--line) 0 1px, transparent 1px 4.25rem) top / 100% 10px no-repeat }
h1 { margin: 0 0 .75rem; font-size: 1.6rem; line-height: 1.35; font-weight: 600; text-wrap: balance; word-break: auto-phrase }
p { margin: 0; color: var(--soft); text-wrap: pretty }
footer { margin-top: 2rem; font-size: .85rem; color: var(--soft) }
code { font: .9em ui-monospace, "SFMono-Regular", Consolas, monospace }
</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(text)}</p>
<footer>${status} · <code>${escapeHtml(code)}</code></footer>
</main>
</body>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
