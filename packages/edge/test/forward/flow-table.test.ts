import { FlowTable } from '@engawa/edge/forward/flow-table'
import t from 'tap'

const nameOf = ([address, port]: [string, number]): string => `${address} ${port}`

t.test('finds each flow by its address and port, and no other', async (t) => {
  const table = new FlowTable<string>()
  const ends: [address: string, port: number][] = []
  for (let port = 1; port <= 200; port++) {
    ends.push(['127.0.0.1', port], ['127.0.0.11', port], ['2001:db8::1', port], [`10.0.0.${port}`, 51_820])
  }
  t.equal(table.get('127.0.0.1', 1), undefined)
  for (const end of ends) table.set(...end, nameOf(end))
  // As the system's come: another string each time, equal in what it says.
  t.ok(ends.every(([address, port]) => table.get(Buffer.from(address).toString(), port) === nameOf([address, port])))
  t.equal(table.get('127.0.0.1', 201), undefined)
  t.same([...table.values()].toSorted(), ends.map(nameOf).toSorted())
  for (const end of ends.slice(0, 400)) table.delete(...end)
  t.same(
    ends.map((end) => table.get(...end)),
    ends.map((end, at) => (at < 400 ? undefined : nameOf(end))),
  )
})

t.test('a flow may be deleted while all are gone through', async (t) => {
  const table = new FlowTable<number>()
  for (let port = 0; port < 500; port++) table.set('::1', port, port)
  const met: number[] = []
  for (const port of table.values()) {
    met.push(port)
    table.delete('::1', port)
  }
  t.equal(met.length, 500)
  t.same([...table.values()], [])
})
