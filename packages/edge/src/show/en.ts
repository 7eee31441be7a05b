/** Every word that the edge says to people. ja.ts has the same keys. */
export const en = {
  about: 'Engawa edge: receives visitors on this server and hands them to agents at home.',
  usage: 'Usage',
  usageWords: 'COMMAND [OPTIONS]',
  commandsHead: 'Commands:',
  optionsHead: 'Options:',
  moreHelp: 'Help on one command: edge COMMAND --help',

  commands: {
    run: 'Serve. The first start makes everything that is needed',
    invite: 'Print a join line for one agent',
    agents: 'List the agents; revoke or rename one',
    revoke: 'Cut an agent off at once, for good',
    rename: 'Give an agent another name',
    tunnels: 'List the tunnels, with address and traffic',
    status: 'Show whether the edge serves, in one screen',
    check: 'Check flags and edge.yaml without starting',
    ca: "Print the visitors' root certificate",
    dns: 'Print the DNS records to set, and check them',
    backup: 'Write all state into one file, also while it runs',
    restore: 'Put a backup in the place of the state',
    reload: 'Read edge.yaml again, without a restart',
    upgrade: 'Let the installed version take over; what runs goes on',
  },
  flags: {
    data: 'folder of state and secrets (default {default})',
    config: 'settings in YAML (default edge.yaml in the data folder)',
    json: 'one JSON object per line on stdout',
    'log-level': 'fatal, error, warn, info, debug or trace',
    lang: 'language: en or ja',
    help: 'show this help',
    version: 'show the version',
    domain: 'tunnel "blog" is then blog.NAME (default localhost)',
    http: 'where visitors reach HTTP (default :80, else :8080)',
    https: 'where visitors reach HTTPS, or off (default :443, else :8443)',
    carrier: 'where agents connect (default: shares the https port)',
    'public-host': 'what a join line tells agents to dial, HOST or HOST:PORT',
    admin: 'admin API, or off (default 127.0.0.1:7400)',
    'tcp-ports': 'TCP ports that tunnels may ask for (default 1024-65535)',
    'udp-ports': 'UDP ports that tunnels may ask for (default 1024-65535)',
    bind: 'address where tunnel ports listen (default all)',
    grace: 'how long a session waits for its agent (default 120s)',
    drain: 'how long to wait for open streams when stopping (default 30s)',
    'handover-drain': 'how long the former process may finish after an upgrade (default 10m)',
    expires: 'how long the join line is good (default 1h)',
    names: 'names that the agent may hold, for example blog,shop-* (default any)',
    ports: 'ports that the agent may hold, for example 22022,25565-25570 (default any)',
    address: 'address of this edge as visitors see it (default: its own)',
    resolver: 'DNS server to ask (default: that of the system)',
    hosts: 'own domains that the agent may hold, for example www.example.org',
  },

  // What is wrong with a command line
  commandMissing: 'Which command? edge --help lists them.',
  commandUnknown: (word: string, near: string | undefined) =>
    `"${word}" is not a command of edge.${near === undefined ? ' edge --help lists them.' : ` Did you mean "edge ${near}"?`}`,
  flagUnknown: (flag: string, near: string | undefined, command: string) =>
    `${flag} is not a flag of ${command}.${near === undefined ? ` ${command} --help lists them.` : ` Did you mean ${near}?`}`,
  flagNeedsValue: (flag: string) => `${flag} needs a value.`,
  flagTakesNone: (flag: string) => `${flag} takes no value.`,
  flagTwice: (flag: string) => `${flag} is given twice.`,
  wordMissing: (command: string, word: string) => `${command} needs ${word}.`,
  wordTooMany: (command: string, word: string) => `${command} does not take "${word}".`,
  langUnknown: (value: string) => `--lang ${value}: en or ja.`,
  levelUnknown: (value: string) => `--log-level ${value}: fatal, error, warn, info, debug or trace.`,

  configAbsent: (path: string) => `${path} is not there; --config names a file that exists.`,

  // State and running

  notRunning: (folder: string) => `No edge runs in ${folder}. Start it with: edge run`,
  controlBroken: (folder: string, why: string) => `The edge of ${folder} does not answer: ${why}`,

  // edge run
  runTitle: (version: string) => `Engawa edge ${version}`,
  runHttp: 'HTTP',
  runHttps: 'HTTPS',
  runAgents: 'For agents',
  runAdmin: 'Admin',
  runDomain: 'Domain',
  runPortsFallback: (http: string, https: string) =>
    `Ports 80 and 443 need more rights (sudo): serving on ${http} and ${https} instead.`,
  runNext: 'Next, in another terminal, make a join line for your home server:',
  runAgainst: 'It serves until Ctrl-C.',
  runStopping: (seconds: number) =>
    `Stopping: waiting up to ${seconds} s for open streams. Ctrl-C again stops at once.`,
  runStopped: 'Stopped.',
  off: 'off',
  eventOnline: (agent: string, remote: string) => `${agent} is online, from ${remote}`,
  eventOffline: (agent: string, why: string) => `${agent} is offline (${why})`,
  eventResumed: (agent: string, ms: number) => `${agent} is back after ${ms} ms`,
  offlineReasons: {
    CARRIER_LOST: 'its line is gone; its streams wait for it',
    REVOKED: 'revoked',
    REPLACED: 'it logged in elsewhere',
    SESSION_CLOSED: 'it has left',
    GRACE_EXPIRED: 'it did not come back in time',
  },
  eventOpen: (publicAddress: string, agent: string) => `${publicAddress} leads to ${agent}`,
  eventClosed: (publicAddress: string) => `${publicAddress} is closed`,

  // edge invite
  inviteTitle: (agent: string) => `Type this at home, on the machine that is to be "${agent}":`,
  inviteExpires: (when: string) => `It works once and expires ${when}.`,
  inviteReplaces: (agent: string) =>
    `There is an agent "${agent}" already: using this line replaces its key; its names and ports pass on.`,
  inviteLocal:
    'This machine has no public address, so the line works on this machine only. To reach it from elsewhere: edge run --public-host HOST',
  invitePrivate: (addresses: string) =>
    `This machine has only private addresses (${addresses}), so the line works inside this network only. For the internet: edge run --public-host HOST`,
  inviteStopped: 'No edge runs now: start it with "edge run" before the line is used.',

  // edge agents, tunnels
  agentsNone: 'No agents yet. Make a join line with: edge invite home',
  agentsHeads: { name: 'AGENT', state: 'STATE', since: 'SINCE', remote: 'FROM', tunnels: 'TUNNELS' },
  agentStates: { online: 'online', away: 'away', offline: 'offline', revoked: 'revoked' },
  agentNever: 'never',
  revoked: (agent: string) => `"${agent}" is revoked. Its names and ports are free.`,
  renamed: (from: string, to: string) => `"${from}" is now "${to}".`,
  tunnelsNone: 'No tunnels yet. At home: agent expose 8080',
  tunnelsHeads: {
    address: 'ADDRESS',
    agent: 'AGENT',
    target: 'LEADS TO',
    state: 'STATE',
    service: 'SERVICE',
    open: 'OPEN',
    total: 'TOTAL',
    received: 'IN',
    sent: 'OUT',
    dropped: 'DROPPED',
  },
  tunnelStates: { live: 'live', reserved: 'reserved' },
  serviceReached: (seconds: string) => `reached ${seconds} s ago`,

  // edge status, check, ca
  linksHeads: {
    agent: 'AGENT',
    carrier: 'CARRIER',
    family: 'FAMILY',
    remote: 'FROM',
    rtt: 'ROUND TRIP',
    inFlight: 'IN FLIGHT',
    resent: 'RESENT',
    heard: 'LAST HEARD',
  },
  linkNone: 'away',
  linkHeard: (seconds: string) => `${seconds} s ago`,
  linkSilent: (seconds: string) => `silent for ${seconds} s`,
  statusServes: 'The edge serves.',
  statusDraining: 'The edge is stopping; it takes nothing new.',
  statusBroken: 'The edge runs, but does not serve everywhere it should.',
  statusSince: 'Running',
  statusSinceValue: (length: string, pid: number) => `for ${length} (process ${pid})`,
  statusAgents: 'Agents',
  statusAgentsValue: (online: number, known: number) => `${online} online, ${known} known`,
  statusTunnels: 'Tunnels',
  statusTunnelsValue: (live: number, all: number) => `${live} live, ${all} in all`,
  statusStreams: 'Streams',
  statusTraffic: 'Traffic',
  statusTrafficValue: (received: string, sent: string) => `${received} in, ${sent} out`,
  statusMemory: 'Memory',
  statusData: 'Data',
  statusCertificates: 'Certificates',
  statusCertificatesValue: (good: number, all: number) => `${good} of ${all} issued`,
  certificateProblem: (names: string, why: string) => `${names}: ${why}`,
  certificateNext: (when: string) => `tried again ${when}`,
  certificateProblems: {
    caUnreachable: (_host: string, detail: string) =>
      `the CA cannot be reached (${detail}). Does this machine reach the internet?`,
    caUntrusted: (_host: string, detail: string) =>
      `the CA's own HTTPS is not trusted (${detail}). For a CA of your own, name its root in tls.acme.ca_file.`,
    caBroken: (_host: string, detail: string) =>
      `the CA has a fault of its own (${detail}). It passes; nothing is to be done here.`,
    rateLimited: (_host: string, detail: string) =>
      `the CA issues no more for now: ${detail}. There is nothing to do but wait; for trials there is tls.acme.staging.`,
    accountRefused: (_host: string, detail: string) =>
      `the CA refuses this edge's account: ${detail}. Look at tls.acme.email and directory.`,
    httpUnreachable: (host: string, detail: string) =>
      `port 80 is not reachable from the CA: ${detail}. Open it for ${host} in the firewall or security group.`,
    tlsUnreachable: (host: string, detail: string) =>
      `port 443 is not reachable from the CA: ${detail}. Open it for ${host} in the firewall or security group.`,
    httpWrong: (host: string, detail: string) =>
      `another server answers the CA at port 80 of ${host}: ${detail}. Its DNS must lead to this edge alone (A and AAAA).`,
    tlsWrong: (host: string, detail: string) =>
      `another server answers the CA at port 443 of ${host}: ${detail}. Its DNS must lead to this edge alone (A and AAAA).`,
    dnsMissing: (host: string, detail: string) =>
      `the CA finds no address of ${host}: ${detail}. Set an A or AAAA record to this edge.`,
    dnsWrong: (host: string, detail: string) =>
      `the CA does not find the TXT record _acme-challenge.${host}: ${detail}. Does the hook publish it, and is tls.acme.dns.wait long enough?`,
    caaForbids: (host: string, detail: string) => `a CAA record of ${host} does not allow this CA: ${detail}`,
    nameRefused: (host: string, detail: string) =>
      `the CA does not issue for this name: ${[host, detail].filter(Boolean).join(': ')}`,
    dnsProvider: (_host: string, detail: string) => `the DNS record could not be set: ${detail}`,
    needsDns: (host: string, _detail: string) => `*.${host} needs DNS-01: set tls.acme.dns`,
    other: (_host: string, detail: string) => `the CA did not issue it: ${detail}`,
    file: (_host: string, detail: string) => `its files are wrong, the former certificate is shown on: ${detail}`,
  },
  dnsNone: 'The domain is localhost, and no tunnel has a domain of its own: no DNS record is needed.',
  dnsPrivate: 'This machine has no public address of its own. Name the one that visitors see: edge dns --address IP',
  dnsHeads: { name: 'NAME', type: 'TYPE', value: 'VALUE', state: 'STATE' },
  dnsRight: 'right',
  dnsOptional: 'not set (optional)',
  dnsMissing: 'NOT SET',
  dnsElsewhere: (found: string) => `WRONG: leads to ${found}`,
  dnsForbids: (found: string) => `WRONG: allows only ${found}`,
  dnsFailed: (why: string) => `no answer (${why})`,
  dnsAllRight: 'All names lead to this edge.',
  dnsSomeWrong: (names: string) => `Not right: ${names}`,
  checkFine: 'The settings are right.',
  checkTcpPorts: 'TCP ports',
  checkUdpPorts: 'UDP ports',
  backedUp: (file: string) => `All state is in ${file}. It holds keys: keep it where nobody else can read it.`,
  restored: (folder: string) =>
    `${folder} is as it was when the backup was made. Open invitations are void; what was revoked or used since stays so.`,
  restoredBefore: (ending: string) => `What was there lies beside it, with the ending ${ending}.`,
  reloadedNone: 'Nothing has changed that applies at once.',
  reloaded: (keys: string) => `In force now: ${keys}`,
  reloadLater: (keys: string) => `In force after edge upgrade: ${keys}`,
  upgraded: 'The installed version serves now. What ran goes on until it ends.',
  caNone: 'HTTPS is off here (--https off), so there is no certificate to trust.',
}
