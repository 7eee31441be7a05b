import { HeldSockets } from '@engawa/edge/front/held'
import t from 'tap'

function handle() {
  const made = { closed: 0, close: () => void made.closed++ }
  return made
}

t.test('a socket is closed when the last who listens on it lets go', async (t) => {
  const held = new HeldSockets<string>()
  const http = handle()
  held.keep('http', 'one', http)
  t.equal(held.take('http', 'two'), http)
  t.equal(held.take('https', 'two'), undefined)
  held.drop('http', 'one')
  t.equal(http.closed, 0)
  held.drop('http', 'two')
  t.equal(http.closed, 1)
  t.equal(held.take('http', 'three'), undefined)
})

t.test('one whose user has died waits for the next, until that has taken what it wants', async (t) => {
  const held = new HeldSockets<string>()
  const [http, port] = [handle(), handle()]
  held.keep('http', 'one', http)
  held.keep('port', 'one', port)
  held.left('one')
  t.same([http.closed, port.closed], [0, 0])
  t.equal(held.take('http', 'two'), http)
  held.sweep()
  t.same([http.closed, port.closed], [0, 1])
  t.equal(held.size, 1)
})

t.test('what is kept again takes the place of the former', async (t) => {
  const held = new HeldSockets<string>()
  const [former, latter] = [handle(), handle()]
  held.keep('port', 'one', former)
  held.keep('port', 'two', latter)
  t.same([former.closed, latter.closed], [1, 0])
  held.drop('port', 'one')
  t.equal(latter.closed, 0)
})
