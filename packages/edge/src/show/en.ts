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
    expires: 'how long the join line is good (default 1h)',
    names: 'names that the agent may hold, for example blog,shop-* (default any)',
    ports: 'ports that the agent may hold, for example 22022,25565-25570 (default any)',
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
    open: 'OPEN',
    total: 'TOTAL',
    received: 'IN',
    sent: 'OUT',
  },
  tunnelStates: { live: 'live', reserved: 'reserved' },

  // edge status, check, ca
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
  checkFine: 'The settings are right.',
  checkTcpPorts: 'TCP ports',
  checkUdpPorts: 'UDP ports',
  caNone: 'HTTPS is off here (--https off), so there is no certificate to trust.',
}
