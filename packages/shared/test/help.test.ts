import { plainHelp } from '@engawa/shared/help'
import t from 'tap'

t.test('brackets go, and what stands behind them stays where it was', async (t) => {
  const written = [
    'edge invite [NAME]',
    '',
    '  edge run            Serve',
    '  edge invite [NAME]  Print a join line',
    '',
    '  --bind  HOST[:PORT]: where  [string]',
    '  TARGET  a port',
    '                                        [array] [default: []]',
    '  --json  one object per line          [boolean]',
    '',
  ]
  t.equal(
    plainHelp(written.join('\n'), 'edge'),
    [
      'edge invite NAME',
      '',
      '  edge run            Serve',
      '  edge invite NAME    Print a join line',
      '',
      '  --bind  HOST[:PORT]: where',
      '  TARGET  a port',
      '  --json  one object per line',
      '',
    ].join('\n'),
  )
  t.equal(plainHelp('agent expose [TARGET..]\n', 'agent'), 'agent expose TARGET..\n')
})
