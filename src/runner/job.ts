import type { Clock } from '../base/clock.ts';
import type { ExitCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { AuditBook } from '../domain/audit.ts';
import type { HistoryEffects, StoredCall } from '../domain/call.ts';
import type { OrderHead } from '../domain/order.ts';
import type { Tx } from '../state/database.ts';
import type { dealBook } from '../state/deal-links.ts';
import type { SeenDocument } from '../state/onec-documents.ts';
import type { Counts } from './deliver.ts';
import type { Reading } from './reading.ts';

export type { BoundDeal } from '../state/deal-links.ts';
export type { SeenDocument } from '../state/onec-documents.ts';
export type DealBook = ReturnType<typeof dealBook>;

/** What the runner gives a job for one pass. `clients` holds those of the job's systems alone. */
export interface JobContext<Clients, Settings, Mapping> {
  clients: Clients;
  settings: Settings;
  mapping: Mapping;
  clock: Clock;
  /** Read once, at the start of the pass. */
  now: Date;
  /** Start of the look-back window, for jobs that keep no cursor. */
  windowStart: Date;
  log: Logger;
  signal: AbortSignal;
  tables: Tables;
  /** The job's own options that were given, and `lookback` where the operator gave a depth. */
  flags: ReadonlySet<string>;
  /** The records that the operator has chosen by name; absent: those of the pass's range. */
  only?: readonly string[] | undefined;
  /** A fresh, restored or moved database: what is planned may stand at the target already. */
  adopting: boolean;
  /** The pass's figures, for jobs that read no pages. */
  counts: Counts;
  /**
   * Reads the pass's range slice by slice; what is new goes to the outbox, or to the plan of a dry run. A job with several
   * sources names the `part` that it reads: each has a cursor of its own, so that one that is down loses nothing.
   */
  eachPage<R>(reading: Reading<R>, part?: string): Promise<void>;
}

/** 1C's documents as they were last seen. */
export interface OnecBook {
  seen(refs: readonly string[]): Promise<Map<string, SeenDocument>>;
  /** Returns how many rows changed. */
  save(tx: Tx, documents: readonly SeenDocument[], now: Date): Promise<number>;
  /** By which rules of the mapping an export has last gone through its whole range; opaque. */
  rules(): Promise<string | undefined>;
  /** Nothing in a dry run. */
  keepRules(rules: string, now: Date): Promise<void>;
  /** The documents that stand for these deals, by what was bound here. */
  refsOfDeals(dealIds: readonly number[]): Promise<Map<number, string>>;
  /** Deals whose documents an import is just making: their states may not be written yet. */
  dealsImported(): Promise<Set<number>>;
  /** Names of the deals that an export is just making, or whose making is in doubt. */
  dealsUnderWay(): Promise<Set<string>>;
}

/** Calls as operators see them, and what is known here of RetailCRM's customers and orders. */
export interface CallBook {
  /** A row that says the same already is left alone; when it was uploaded and whose it is stays. Returns how many changed. */
  save(tx: Tx, calls: readonly StoredCall[], now: Date): Promise<number>;
  /** Up to which entry RetailCRM's history was read. */
  historySince(enterprise: string, of: 'customers' | 'orders'): Promise<number | undefined>;
  /** A page of history with its last entry's id, in one transaction. A dry run writes nothing. Returns how many rows change. */
  applyHistory(enterprise: string, of: 'customers' | 'orders', page: HistoryEffects, now: Date): Promise<number>;
}

/** Tables of their own that jobs keep for operators. */
export interface Tables {
  deals: DealBook;
  kaspiOrders: {
    save(tx: Tx, orders: readonly OrderHead[], now: Date): Promise<number>;
    /** Orders that are not settled and were not looked at for longest. */
    due(options: {
      completedSince: Date;
      limit: number;
      besides: ReadonlySet<string>;
    }): Promise<{ code: string; kaspiId: string }[]>;
    /** Nothing in a dry run. */
    looked(code: string, now: Date): Promise<void>;
  };
  audits: AuditBook;
  onec: OnecBook;
  calls: CallBook;
}

/** What the runner must know of a job; `jobs/define.ts` says the rest. */
export interface Job<Clients, Settings, Mapping> {
  name: string;
  overlapMs: number;
  sliceMs: number;
  run(context: JobContext<Clients, Settings, Mapping>): Promise<void>;
}

/** What one pass came to; the summary line, `--json` and the row in `runs` show it. */
export interface PassResult {
  job: string;
  outcome: 'ok' | 'partial' | 'failed' | 'skipped';
  exit: ExitCode;
  fetched: number;
  created: number;
  updated: number;
  skipped: number;
  failed: number;
  requests: number;
}
