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

export interface RetailcrmCustomersTable {
  id: Generated<number>;
  enterprise_number: string;
  /** E.164. */
  phone: string;
  retailcrm_customer_id: number;
  created_at: InstantText;
  updated_at: InstantText;
}

export interface CallsTable {
  id: Generated<number>;
  /** Host and linkedid. */
  external_id: string;
  enterprise_number: string;
  direction: string;
  result: string;
  /** The PBX's local day. */
  day: DayText;
  started_at: InstantText;
  ended_at: InstantText;
  phone: string | null;
  extension: string | null;
  manager: string | null;
  /** Talk, seconds. */
  duration: number;
  /** Seconds. */
  wait: number;
  recording_url: string | null;
  line: string | null;
  retailcrm_customer_id: number | null;
  uploaded_at: InstantText | null;
  hash: string;
  created_at: InstantText;
  updated_at: InstantText;
}

export interface RetailcrmOrdersTable {
  enterprise_number: string;
  order_id: number;
  number: string;
  retailcrm_customer_id: number | null;
  phone: string | null;
  manager_id: number | null;
  status: string;
  /** 0 or 1. */
  cancelled: number;
  total: number;
  ordered_at: InstantText;
  created_at: InstantText;
  updated_at: InstantText;
}

export interface CallClicksTable {
  id: string;
  enterprise_number: string;
  extension: string;
  phone: string;
  requested_at: InstantText;
  outcome: string | null;
}

/** A view: an order that is not cancelled with the last call before it; to be read only. */
export interface CallOrdersView {
  enterprise_number: string;
  order_id: number;
  call_id: number;
  ordered_at: InstantText;
  order_total: number;
  /** From the start of the call. */
  order_seconds: number;
  /** 1: the call's first order. */
  nth: number;
}

/** A view: one row a call with the outside world; to be read only. */
export interface CallFactsView extends Omit<CallsTable, 'id' | 'hash' | 'created_at' | 'updated_at'> {
  id: number;
  /** 0 or 1: incoming and not answered. */
  missed: number;
  /** Of missed calls: when the first answered call with that phone, in or out, began. */
  called_back_at: InstantText | null;
  /** From the start of the missed call to the start of that one. */
  callback_seconds: number | null;
  /** The call's first order, if it came within 30 days. */
  order_id: number | null;
  order_total: number | null;
  order_seconds: number | null;
}

interface CallSums {
  enterprise_number: string;
  calls: number;
  incoming: number;
  outgoing: number;
  answered: number;
  missed: number;
  never_called_back: number;
  average_wait: number | null;
  p90_wait: number | null;
  talk_seconds: number;
  average_talk: number | null;
  orders: number;
  order_total: number;
  /** Percent. */
  conversion: number;
}

/** A view: to be read only. */
export interface CallsByDayView extends CallSums {
  day: DayText;
}

/** A view: to be read only. */
export interface CallsByManagerView extends CallSums {
  manager: string | null;
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
  retailcrm_customers: RetailcrmCustomersTable;
  calls: CallsTable;
  retailcrm_orders: RetailcrmOrdersTable;
  call_clicks: CallClicksTable;
  call_orders: CallOrdersView;
  call_facts: CallFactsView;
  calls_by_day: CallsByDayView;
  calls_by_manager: CallsByManagerView;
}
