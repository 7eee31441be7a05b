/**
 * The schema, one step an entry; `user_version` counts those done. An entry that has been released is never changed.
 * Times are wall-clock milliseconds; they are shown to people and date invitations, nothing else hangs on them.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  CREATE TABLE agents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    key BLOB UNIQUE,               -- raw Ed25519 public key; NULL once revoked
    limits TEXT NOT NULL,          -- the grant, JSON
    joined_at INTEGER NOT NULL,
    seen_at INTEGER,
    revoked_at INTEGER
  ) STRICT;

  -- Keys that were good once: their owners are told REVOKED instead of AGENT_UNKNOWN.
  CREATE TABLE old_keys (key BLOB PRIMARY KEY, agent TEXT NOT NULL, at INTEGER NOT NULL) STRICT;

  CREATE TABLE invitations (
    hash BLOB PRIMARY KEY,         -- SHA-256 of the secret, which is kept nowhere
    name TEXT NOT NULL,
    limits TEXT,                   -- NULL: a replaced agent keeps its grant
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_key BLOB,
    used_at INTEGER
  ) STRICT;

  -- Who holds a name and what goes with it. It outlives sessions and restarts.
  CREATE TABLE leases (
    name TEXT PRIMARY KEY,
    agent INTEGER NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    protocol TEXT NOT NULL,
    hosts TEXT NOT NULL,           -- own domains, JSON list
    path TEXT,
    first_port INTEGER,
    last_port INTEGER,
    target TEXT NOT NULL,
    published INTEGER NOT NULL,
    taken_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX leases_by_agent ON leases (agent);
  `,
  `
  -- Whose visitors a tunnel takes, also before its agent is back.
  ALTER TABLE leases ADD COLUMN rules TEXT NOT NULL DEFAULT '{"allow":[],"deny":[]}';
  `,
  `
  -- This edge at ACME CAs. The key is here before the CA hears of it, so that a crash makes no second account.
  CREATE TABLE acme_accounts (directory TEXT PRIMARY KEY, key TEXT NOT NULL, url TEXT, email TEXT) STRICT;

  CREATE TABLE certificates (
    subject TEXT PRIMARY KEY,      -- its names, with blanks between
    issued TEXT,                   -- JSON: key, chain (PEM), directory of the CA; NULL until then
    pending TEXT,                  -- JSON: the order under way, and the key it is for
    failures INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL,
    problem TEXT                   -- JSON
  ) STRICT;

  -- Orders of the last hour: counted, so that a CA is never asked too often.
  CREATE TABLE acme_orders (subject TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
  `,
  `
  -- Which tunnel answers at the bare address, and which stand behind one name with others.
  ALTER TABLE leases ADD COLUMN bare INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE leases ADD COLUMN balance INTEGER NOT NULL DEFAULT 0;
  `,
]

/** The version of the schema that this edge writes, as `user_version`. */
export function storeVersion(): number {
  return MIGRATIONS.length
}
