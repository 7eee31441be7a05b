import type { AgentEvent } from '@engawa/agent/events'
import { Board } from '@engawa/agent/show/board'
import { en } from '@engawa/agent/show/en'
import { explain } from '@engawa/agent/show/explain'
import { ja } from '@engawa/agent/show/ja'
import { printable, printableLines } from '@engawa/shared/terminal'
import t from 'tap'

/** Clears the screen, sets the title, paints in C1, turns the direction, fakes a line. */
const EVIL = '\u001b[2J\u001b]0;title\u0007\u009b31m\u202e\u061c\r\nok'
// oxlint-disable-next-line no-control-regex
const DRIVES = /[\u0000-\u001f\u007f-\u009f\u061c\u202e]/

/** Every event with all that an edge may say in it. */
const EVENTS: readonly AgentEvent[] = [
  { event: 'refused', name: 'blog', code: 'CANCELLED', message: EVIL, target: '8080' },
  { event: 'disconnected', retry_ms: 250, message: EVIL },
  { event: 'ended', code: 'REPLACED', message: EVIL },
  { event: 'tunnel', name: 'blog', protocol: 'http', public: EVIL, urls: [EVIL], target: '8080' },
  ...(['name', 'address', 'port', 'certificate', 'answer', 'skipped'] as const).map(
    (failed): AgentEvent => ({ event: 'check', name: 'blog', public: EVIL, ok: false, failed, detail: EVIL }),
  ),
  { event: 'check', name: 'blog', public: EVIL, ok: true },
]

t.test('nothing that the edge says drives the terminal', async (t) => {
  for (const words of [en, ja]) {
    const board = new Board(words)
    for (const event of EVENTS) {
      t.notMatch(explain(event, words) ?? '', DRIVES, `${event.event} as a line`)
      board.take(event, new Date())
      for (const line of board.render(80, 40, false)) t.notMatch(line, DRIVES, `${event.event} on the screen`)
    }
  }
  t.equal(printableLines(`one\n${printable(EVIL)}`).split('\n').length, 2)
  t.equal(printableLines('one\ntwo\u001b'), 'one\ntwo\\u001b')
})
