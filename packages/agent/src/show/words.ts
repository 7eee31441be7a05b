import type { Code } from '@engawa/shared/errors'
import type { Language } from '@engawa/shared/say'

/** Every text that the agent says to people; `en.ts` and `ja.ts` hold the same keys. What shows more than a moment is kept under 80 columns. */
export interface Words {
  readonly language: Language
  // Targets
  readonly targetWrong: (target: string, why: string) => string
  readonly targetEmpty: string
  readonly targetSpace: string
  readonly targetUser: string
  readonly targetForm: string
  readonly targetBrackets: (host: string) => string
  readonly targetNoPort: (host: string) => string
  readonly targetScheme: (scheme: string, meant: string) => string
  readonly targetHost: (host: string) => string
  readonly targetPort: (port: string) => string
  readonly targetRangeOrder: (from: number, to: number) => string
  readonly targetRangeHttp: string
  readonly targetPathTcp: string
  readonly targetSocketPath: string
  readonly targetSocketLong: (most: number) => string
  readonly targetReach: (target: string) => string
  readonly targetAdmin: (target: string) => string
  readonly targetOwn: (target: string) => string
  readonly targetPath: string
  // Flags
  readonly portForHttp: string
  readonly onlyForHttp: (flag: string) => string
  readonly healthWrong: (text: string) => string
  readonly stripNeedsPath: string
  readonly onlyForHttps: (flag: string) => string
  readonly onlyForFolders: (flag: string) => string
  readonly notForFolders: (flag: string) => string
  readonly hostHeaderWrong: (text: string) => string
  readonly visitorAddressElsewhere: string
  readonly localVisitors: (target: string, seen: string) => string
  readonly proxyForTls: string
  readonly proxyForUdp: string
  readonly portCount: (wanted: number, given: number) => string
  readonly prefixWrong: (text: string) => string
  readonly oneTargetOnly: (flag: string) => string
  readonly flagTwice: (flag: string) => string
  readonly flagEmpty: (flag: string) => string
  readonly flagChoice: (flag: string, given: string, choices: string) => string
  readonly unknownFlag: (flag: string, meant: string | undefined) => string
  readonly unknownCommand: (command: string, meant: string | undefined) => string
  readonly tooMany: (word: string) => string
  /** `example`: what may be typed there. */
  readonly missing: (what: string, command: string, example: string) => string
  readonly noCommand: string
  // State and other processes
  readonly identityBroken: (file: string) => string
  readonly notJoined: (folder: string) => string
  readonly noState: (folder: string) => string
  readonly alreadyJoined: (agent: string, folder: string) => string
  readonly notRunning: string
  readonly nameUnknown: (name: string) => string
  readonly nameTwice: (name: string) => string
  readonly noConfig: (file: string) => string
  readonly nothingListed: (file: string) => string
  readonly socketFailed: (path: string, why: string) => string
  // As a service
  readonly serviceAction: (given: string, known: string) => string
  readonly adminFailed: (address: string, why: string) => string
  readonly managerFailed: (asked: string, said: string) => string
  readonly serviceInstalled: (agent: string, unit: string) => string
  readonly serviceLinger: string
  readonly serviceUninstalled: string
  readonly serviceState: (found: {
    installed: boolean
    active: boolean
    atBoot: boolean
    pid: number
    text: string
  }) => string
  // Joining and reaching the edge
  readonly joined: (agent: string, edge: string) => string
  /** `flags`: those that the next command needs as well, each after a space. */
  readonly joinNext: (flags: string) => string
  readonly noneReached: (reasons: string) => string
  readonly edgeNotFound: (address: string) => string
  readonly edgeRefused: (address: string) => string
  readonly edgeTimeout: (address: string) => string
  readonly edgeTls: (address: string, why: string) => string
  readonly edgePin: (address: string) => string
  readonly edgeOther: (address: string, why: string) => string
  readonly refusedBy: (code: string, message: string) => string
  readonly invitationUsed: string
  readonly invitationExpired: string
  readonly invitationUnknown: string
  readonly revoked: string
  readonly replaced: (by: string) => string
  readonly replacedStays: string
  // Events
  readonly connecting: string
  readonly connected: (edge: string, rttMs: number | undefined) => string
  readonly carrierLost: (left: number) => string
  readonly disconnected: (why: string | undefined) => string
  /** Why the edge itself has ended a session. */
  readonly closings: Readonly<Partial<Record<Code, string>>>
  readonly nameUsedFor: (target: string) => string
  readonly nameNotHeld: (name: string) => string
  readonly leaveAnyway: (folder: string) => string
  readonly resumed: (streams: number, awayMs: number) => string
  readonly refused: (name: string, code: string, message: string) => string
  /** The edge's reasons by code; it speaks English. */
  readonly refusals: Readonly<Partial<Record<Code, string>>>
  readonly removed: (name: string) => string
  readonly reloaded: (tunnels: number) => string
  readonly configRefused: (message: string) => string
  readonly serviceSilent: (target: string) => string
  readonly serviceUnreachable: (target: string) => string
  readonly serviceCertificate: (target: string) => string
  readonly serviceLoop: (target: string) => string
  readonly serviceNoFolder: (target: string) => string
  readonly serviceBack: (target: string) => string
  readonly checkOk: (address: string) => string
  readonly checkName: (address: string, name: string) => string
  readonly checkAddress: (address: string, found: string) => string
  readonly checkPort: (address: string) => string
  readonly checkCertificate: (address: string, why: string) => string
  readonly checkAnswer: (address: string, why: string) => string
  readonly checkSkipped: (address: string) => string
  readonly checkBlocked: (address: string) => string
  readonly takingOver: string
  readonly draining: string
  // The live screen
  readonly link: string
  readonly traffic: (total: number, open: number, received: string, sent: string) => string
  readonly dropped: (datagrams: number) => string
  readonly requests: string
  readonly noRequests: string
  readonly more: (count: number) => string
  readonly waiting: (name: string) => string
  readonly awaitsCertificate: string
  readonly stopHint: string
  // ls, rm, release, leave, status
  readonly columnName: string
  readonly columnPublic: string
  readonly columnTarget: string
  readonly columnState: string
  readonly stateBound: string
  readonly stateWaiting: string
  readonly stateRefused: string
  readonly columnLocal: string
  readonly columnVisitor: string
  readonly columnOpen: string
  readonly columnTotal: string
  readonly columnLast: string
  readonly nobodySeated: string
  readonly nothingPublished: string
  /** `typed`: the name as a command takes it. */
  readonly removedDone: (name: string, typed: string) => string
  readonly released: (name: string) => string
  readonly left: (agent: string) => string
  readonly statusAgent: (agent: string, pid: number) => string
  readonly statusOnline: (edge: string) => string
  readonly statusAway: (seconds: number) => string
  readonly statusConnecting: string
  readonly statusEnded: (message: string) => string
  readonly statusCarrier: (of: { carrier: number; family: string; local: string; remote: string }) => string
  readonly statusCarrierFigures: (of: { rtt: string; inFlight: string; resent: string; age: string }) => string
  readonly statusStreams: (streams: number) => string
  readonly statusFormer: (streams: number) => string
  readonly statusReachable: (ms: number) => string
  readonly statusUnreachable: (why: string) => string
  readonly suspect: string
  readonly unknown: string
  // Help
  readonly usage: string
  readonly headCommands: string
  readonly headArguments: string
  readonly headOptions: string
  readonly headExamples: string
  readonly helpJoin: string
  readonly helpExpose: string
  readonly helpUp: string
  readonly helpLs: string
  readonly helpRm: string
  readonly helpRelease: string
  readonly helpVisitors: string
  readonly helpStatus: string
  readonly helpLeave: string
  readonly helpService: string
  readonly helpAction: string
  readonly helpLine: string
  readonly helpTarget: string
  readonly helpNameOf: string
  readonly helpData: string
  readonly helpConfig: string
  readonly helpJson: string
  readonly helpLogLevel: string
  readonly helpLang: string
  readonly helpName: string
  readonly helpHost: string
  readonly helpPath: string
  readonly helpStripPath: string
  readonly helpBalance: string
  readonly helpHealth: string
  readonly helpDefault: string
  readonly helpPort: string
  readonly helpAllow: string
  readonly helpDeny: string
  readonly helpHostHeader: string
  readonly helpInsecure: string
  readonly helpListing: string
  readonly helpProxy: string
  readonly helpVisitorAddress: string
  readonly helpReach: string
  readonly helpQr: string
  readonly helpCarriers: string
  readonly helpDrain: string
  readonly helpAdmin: string
  readonly helpVersion: string
  readonly helpHelp: string
  readonly helpExamples: readonly (readonly [command: string, what: string])[]
}
