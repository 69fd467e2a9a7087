BEGIN;

-- State of the runner: cursors, runs, outbox, links, failures, alerts. Times are UTC ISO-8601 text of fixed width.
CREATE TABLE schema_migrations (
  version     INTEGER PRIMARY KEY,
  name        TEXT NOT NULL,
  checksum    TEXT,
  applied_at  TEXT NOT NULL
);

-- Cursors (cursor:<job>), heartbeats (heartbeat:<job>), bindings (binding:<system>), schema facts.
CREATE TABLE meta (
  key         TEXT PRIMARY KEY,
  value       TEXT NOT NULL,
  updated_at  TEXT NOT NULL
);

CREATE TABLE runs (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  job          TEXT NOT NULL,
  started_at   TEXT NOT NULL,
  finished_at  TEXT,
  outcome      TEXT,
  exit_code    INTEGER,
  fetched      INTEGER NOT NULL DEFAULT 0,
  created      INTEGER NOT NULL DEFAULT 0,
  updated      INTEGER NOT NULL DEFAULT 0,
  skipped      INTEGER NOT NULL DEFAULT 0,
  failed       INTEGER NOT NULL DEFAULT 0,
  requests     INTEGER NOT NULL DEFAULT 0,
  error        TEXT,
  host         TEXT,
  pid          INTEGER
);
CREATE INDEX runs_job ON runs (job, id);

CREATE TABLE daily_stats (
  date      TEXT NOT NULL,
  job       TEXT NOT NULL,
  fetched   INTEGER NOT NULL DEFAULT 0,
  created   INTEGER NOT NULL DEFAULT 0,
  updated   INTEGER NOT NULL DEFAULT 0,
  skipped   INTEGER NOT NULL DEFAULT 0,
  failed    INTEGER NOT NULL DEFAULT 0,
  requests  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (date, job)
);

-- One row an effect. state: pending, claimed, sending, doubt, failed (waits for due_at), done, superseded, ignored.
CREATE TABLE outbox (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  key          TEXT NOT NULL UNIQUE,
  job          TEXT NOT NULL,
  kind         TEXT NOT NULL,
  record_kind  TEXT NOT NULL,
  record_key   TEXT NOT NULL,
  needs        TEXT NOT NULL DEFAULT '[]',
  payload      TEXT,
  state        TEXT NOT NULL DEFAULT 'pending',
  run_id       INTEGER,
  attempts     INTEGER NOT NULL DEFAULT 0,
  doubts       INTEGER NOT NULL DEFAULT 0,
  looks        INTEGER NOT NULL DEFAULT 0,
  look_first   INTEGER NOT NULL DEFAULT 0,
  sent_at      TEXT,
  due_at       TEXT,
  remote_id    TEXT,
  last_error   TEXT,
  created_at   TEXT NOT NULL,
  done_at      TEXT
);
CREATE INDEX outbox_open ON outbox (job, kind, id) WHERE state NOT IN ('done', 'superseded', 'ignored');
CREATE INDEX outbox_record ON outbox (record_kind, record_key);
CREATE INDEX outbox_unpruned ON outbox (done_at) WHERE payload IS NOT NULL AND done_at IS NOT NULL;

-- Which remote id stands for which local key. applied: what was last written there; planned: what was last asked for.
CREATE TABLE links (
  key               TEXT PRIMARY KEY,
  kind              TEXT NOT NULL,
  remote_id         TEXT NOT NULL,
  applied           TEXT,
  planned           TEXT,
  revision          INTEGER NOT NULL DEFAULT 0,
  created_at        TEXT NOT NULL,
  updated_at        TEXT NOT NULL
);
CREATE INDEX links_remote ON links (kind, remote_id);

-- A thing that is being made: whoever wants the same one waits for the holder's link.
CREATE TABLE reservations (
  key        TEXT PRIMARY KEY,
  effect_id  INTEGER NOT NULL,
  taken_at   TEXT NOT NULL
);
CREATE INDEX reservations_effect ON reservations (effect_id);

CREATE TABLE failed_records (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  kind             TEXT NOT NULL,
  key              TEXT NOT NULL,
  job              TEXT NOT NULL,
  attempts         INTEGER NOT NULL DEFAULT 1,
  next_attempt_at  TEXT,
  last_error       TEXT NOT NULL,
  first_seen_at    TEXT NOT NULL,
  ignored_at       TEXT,
  ignored_why      TEXT,
  UNIQUE (kind, key)
);

CREATE TABLE alerts (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  kind       TEXT NOT NULL,
  subject    TEXT NOT NULL DEFAULT '',
  opened_at  TEXT NOT NULL,
  closed_at  TEXT,
  message    TEXT NOT NULL
);
CREATE UNIQUE INDEX alerts_open ON alerts (kind, subject) WHERE closed_at IS NULL;

-- The request budget and the breaker of a remote system, shared by all processes of this database.
CREATE TABLE rate_limits (
  system      TEXT PRIMARY KEY,
  next_at     INTEGER NOT NULL DEFAULT 0,
  strikes     INTEGER NOT NULL DEFAULT 0,
  opened      INTEGER NOT NULL DEFAULT 0,
  open_until  INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE tokens (
  system         TEXT PRIMARY KEY,
  access_token   TEXT NOT NULL,
  refresh_token  TEXT,
  issued_at      TEXT NOT NULL,
  expires_at     TEXT NOT NULL,
  updated_at     TEXT NOT NULL
);

-- Hashes of every token that was ever read, so that an old one in the settings never replaces a newer one.
CREATE TABLE token_hashes (
  hash     TEXT PRIMARY KEY,
  seen_at  TEXT NOT NULL
);

-- Answers that change rarely (fields, pipelines, users), with the time of asking.
CREATE TABLE remote_cache (
  key         TEXT PRIMARY KEY,
  value       TEXT NOT NULL,
  fetched_at  TEXT NOT NULL
);

INSERT INTO schema_migrations (version, name, applied_at) VALUES (1, 'state', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));

COMMIT;
