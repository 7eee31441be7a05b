import { shownName } from '@engawa/shared/names'
import type { InvitationReport, InvitationRequest } from '../admin/schemas.ts'
import { relative } from '../show/figures.ts'
import { type Context, jsonLine } from './context.ts'
import { EXIT } from './exits.ts'
import { withPeople } from './people.ts'

/** `edge invite NAME` */
export async function invite(context: Context): Promise<number> {
  const { terminal, words, language, args, flags } = context
  const { expires, names, ports, hosts } = flags
  const request: InvitationRequest = {
    name: args[0] ?? '',
    ...(expires === undefined ? {} : { expires }),
    ...(names === undefined ? {} : { names: [...names] }),
    ...(ports === undefined ? {} : { ports: [...ports] }),
    ...(hosts === undefined ? {} : { hosts: [...hosts] }),
  }
  let stopped = false
  const made = await withPeople<InvitationReport>(context, {
    method: 'POST',
    path: '/api/invitations',
    body: request,
    offline: (people) => {
      stopped = true
      return people.invite(request)
    },
  })
  if (flags.json === true) {
    terminal.out(jsonLine({ event: 'invitation', ...made }))
    return EXIT.done
  }
  const name = shownName(made.name, request.name)
  terminal.out(`${words.inviteTitle(name)}\n\n  ${made.line}\n\n`)
  // Rounded, for whole hours read as 59 minutes a millisecond later.
  terminal.out(`${words.inviteExpires(relative(Date.parse(made.expires), Date.now() - 500, language))}\n`)
  if (made.replaces) terminal.out(`${words.inviteReplaces(name)}\n`)
  if (made.reach === 'local') terminal.out(`${words.inviteLocal}\n`)
  if (made.reach === 'private') terminal.out(`${words.invitePrivate(made.addresses.join(', '))}\n`)
  if (stopped) terminal.out(`${words.inviteStopped}\n`)
  return EXIT.done
}
