import { execFileSync } from 'node:child_process'
import type { Build, Program } from './parts.ts'

/** A command as the program's own help tells of it. */
export interface HelpPage {
  /** Empty for the program itself. */
  readonly command: string
  readonly text: string
  readonly flags: readonly string[]
}

/** Every page of a program's help, in the order in which it lists its commands: what is made from it stays true. */
export function helpPages(main: string, program: Program): HelpPage[] {
  const pages: HelpPage[] = []
  const read = (command: string): void => {
    const text = help(main, command)
    const flags = [...text.matchAll(/^\s+(?:-\w, )?(--[a-z][\w-]*)/gm)].map(([, flag = '']) => flag)
    pages.push({ command, text, flags: [...new Set(flags)] })
    for (const [, below = ''] of text.matchAll(new RegExp(`^  ${program} ([a-z]+(?: [a-z]+)?)(?= |$)`, 'gm'))) {
      if (!pages.some((page) => page.command === below)) read(below)
    }
  }
  read('')
  return pages
}

function help(main: string, command: string): string {
  const words = command === '' ? [] : command.split(' ')
  return execFileSync(process.execPath, [main, ...words, '--help'], {
    encoding: 'utf8',
    // The usual folder, whoever builds this.
    env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', XDG_STATE_HOME: '/var/lib', HOME: '/' },
  })
}

const ABOUT: Readonly<Record<Program, string>> = {
  edge: 'receive visitors on a server and hand them to agents at home',
  agent: 'publish services at home through an edge',
}

const EXIT_STATUS = `
.SH EXIT STATUS
.TP
.B 0
done, or stopped by SIGTERM or SIGINT
.TP
.B 1
it failed
.TP
.B 2
the command line or a file is wrong, or the agent has not joined
.TP
.B 3
the edge refused: a bad or used invitation, revoked, replaced
.TP
.B 4
the other side cannot be reached
`

/** The manual page, in roff. */
export function manualPage(program: Program, pages: readonly HelpPage[], { version }: Build): string {
  const name = `engawa-${program}`
  const sections = pages.map(
    ({ command, text }) => `.SS "${[program, command].join(' ').trim()}"\n.nf\n${escaped(text.trim())}\n.fi\n`,
  )
  return `.TH ${name.toUpperCase()} 1 "" "Engawa ${version}" "Engawa"
.SH NAME
${name} \\- ${ABOUT[program]}
.SH SYNOPSIS
.B ${name}
.I COMMAND
[\\fIOPTIONS\\fR]
.PP
.B ${program}
is another name for it, where no other program has that name.
.SH COMMANDS
${sections.join('')}${EXIT_STATUS}.SH FILES
.TP
.I /etc/engawa/${program}.yaml
settings of the service; \\fI/usr/share/doc/${name}/examples\\fR has an example
.TP
.I /var/lib/engawa/${program}
its state and secrets
.SH SEE ALSO
.BR engawa-${program === 'edge' ? 'agent' : 'edge'} (1)
`
}

function escaped(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(?=[.'])/gm, '\\&')
}

/** Completion of commands and flags for bash. */
export function bashCompletion(program: Program, pages: readonly HelpPage[]): string {
  const rows = pages.map(({ command, flags }) => {
    const depth = command === '' ? 0 : command.split(' ').length
    const next = pages
      .map((page) => page.command.split(' '))
      .filter(
        (words) => words.length === depth + 1 && words.join(' ') !== '' && words.slice(0, depth).join(' ') === command,
      )
      .map((words) => words.at(-1))
    return `    '${command}') words='${[...next, ...flags].join(' ')}' ;;`
  })
  const twoWords = pages.filter(({ command }) => command.includes(' ')).map(({ command }) => `'${command}'`)
  return `# bash completion of engawa-${program}
_engawa_${program}() {
  local current=\${COMP_WORDS[COMP_CWORD]} command='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      -*) ;;
      *)
        if [ -z "$command" ]; then command=$word; else
          case "$command $word" in ${[...twoWords, "'-'"].join(' | ')}) command="$command $word" ;; esac
        fi
        ;;
    esac
  done
  case $command in
${rows.join('\n')}
  esac
  case \${COMP_WORDS[COMP_CWORD-1]} in
    --config | --data) COMPREPLY=($(compgen -f -- "$current")) ;;
    --lang) COMPREPLY=($(compgen -W 'en ja' -- "$current")) ;;
    --log-level) COMPREPLY=($(compgen -W 'fatal error warn info debug trace' -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
  esac
}
complete -o default -F _engawa_${program} engawa-${program} ${program}
`
}
