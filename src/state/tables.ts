import type { Generated } from 'kysely';

/** An instant: ISO-8601 text, UTC, of fixed width (`2026-05-01T10:00:00.000Z`), from both databases; so text order is time order. */
export type InstantText = string;

/** A calendar day: `YYYY-MM-DD`. */
export type DayText = string;

export interface SchemaMigrationsTable {
  version: number;
  name: string;
  /** SHA-256 of the file, hexadecimal; null while the file was only run by hand. */
  checksum: string | null;
  applied_at: InstantText;
}

export interface MetaTable {
  key: string;
  value: string;
  updated_at: InstantText;
}

export interface RunsTable {
  id: Generated<number>;
  job: string;
  started_at: InstantText;
  finished_at: InstantText | null;
  outcome: 'ok' | 'partial' | 'failed' | null;
  exit_code: number | null;
  fetched: Generated<number>;
  created: Generated<number>;
  updated: Generated<number>;
  skipped: Generated<number>;
  failed: Generated<number>;
  requests: Generated<number>;
  error: string | null;
  host: string | null;
  pid: number | null;
}

export interface DailyStatsTable {
  date: DayText;
  job: string;
  fetched: Generated<number>;
  created: Generated<number>;
  updated: Generated<number>;
  skipped: Generated<number>;
  failed: Generated<number>;
  requests: Generated<number>;
}

export type OutboxState = 'pending' | 'claimed' | 'sending' | 'doubt' | 'failed' | 'done' | 'superseded' | 'ignored';

export interface OutboxTable {
  id: Generated<number>;
  key: string;
  job: string;
  kind: string;
  record_kind: string;
  record_key: string;
  /** JSON list of keys. */
  needs: Generated<string>;
  /** JSON; null once pruned. */
  payload: string | null;
  state: Generated<OutboxState>;
  run_id: number | null;
  attempts: Generated<number>;
  doubts: Generated<number>;
  looks: Generated<number>;
  /** 0 or 1. */
  look_first: Generated<number>;
  sent_at: InstantText | null;
  due_at: InstantText | null;
  remote_id: string | null;
  last_error: string | null;
  created_at: InstantText;
  done_at: InstantText | null;
}

export interface LinksTable {
  key: string;
  kind: string;
  remote_id: string;
  /** JSON of what was last written at the target. */
  applied: string | null;
  /** JSON of what was last asked for. */
  planned: string | null;
  revision: Generated<number>;
  created_at: InstantText;
  updated_at: InstantText;
}

export interface ReservationsTable {
  key: string;
  effect_id: number;
  taken_at: InstantText;
}

export interface FailedRecordsTable {
  id: Generated<number>;
  kind: string;
  key: string;
  job: string;
  attempts: Generated<number>;
  next_attempt_at: InstantText | null;
  last_error: string;
  first_seen_at: InstantText;
  ignored_at: InstantText | null;
  ignored_why: string | null;
}

export interface AlertsTable {
  id: Generated<number>;
  kind: string;
  subject: Generated<string>;
  opened_at: InstantText;
  closed_at: InstantText | null;
  message: string;
}

/** What was told of an alert over which channel. */
export interface AlertDeliveriesTable {
  alert_id: number;
  channel: string;
  event: 'opened' | 'closed';
  sent_at: InstantText;
}

/** `next_at` and `open_until` are milliseconds since 1970, for they are reckoned with inside one statement. */
export interface RateLimitsTable {
  system: string;
  next_at: Generated<number>;
  strikes: Generated<number>;
  opened: Generated<number>;
  open_until: Generated<number>;
}

export interface TokensTable {
  system: string;
  access_token: string;
  refresh_token: string | null;
  issued_at: InstantText;
  expires_at: InstantText;
  updated_at: InstantText;
}

export interface TokenHashesTable {
  hash: string;
  seen_at: InstantText;
}

export interface RemoteCacheTable {
  key: string;
  /** JSON. */
  value: string;
  fetched_at: InstantText;
}

export interface AmoIndexTable {
  entity: string;
  entity_id: number;
  kind: string;
  value: string;
}

export interface KaspiOrdersTable {
  order_code: string;
  kaspi_id: string;
  state: string;
  status: string;
  /** Tenge, with tiyn as decimals: what Kaspi sends. */
  total_price: number;
  ordered_at: InstantText;
  /** 0 or 1. */
  final: Generated<number>;
  created_at: InstantText;
  updated_at: InstantText;
  /** When it was last asked for by its id. */
  looked_at: InstantText | null;
}

/** A view: to be read only. */
export interface ProcessedOrdersView {
  order_code: string;
  kaspi_id: string;
  lead_id: number | null;
  contact_id: number | null;
  state: string;
  status: string;
  total_price: number;
  created_at: InstantText;
  updated_at: InstantText;
}

export interface OnecSeenTable {
  ref: string;
  type: string;
  number: string;
  dated: InstantText;
  written_at: InstantText | null;
  state: string;
  signature: string;
  created_at: InstantText;
  updated_at: InstantText;
}

/** A view: to be read only. */
export interface OnecDocumentsView {
  ref: string;
  type: string;
  number: string | null;
  lead_id: number | null;
  written_at: InstantText | null;
  exported_at: InstantText | null;
  state: string;
}

/** Every table and view of migrations/, the same for both databases (a test compares them). */
export interface Tables {
  schema_migrations: SchemaMigrationsTable;
  meta: MetaTable;
  runs: RunsTable;
  daily_stats: DailyStatsTable;
  outbox: OutboxTable;
  links: LinksTable;
  reservations: ReservationsTable;
  failed_records: FailedRecordsTable;
  alerts: AlertsTable;
  alert_deliveries: AlertDeliveriesTable;
  rate_limits: RateLimitsTable;
  tokens: TokensTable;
  token_hashes: TokenHashesTable;
  remote_cache: RemoteCacheTable;
  amo_index: AmoIndexTable;
  kaspi_orders: KaspiOrdersTable;
  processed_orders: ProcessedOrdersView;
  onec_seen: OnecSeenTable;
  onec_documents: OnecDocumentsView;
}
