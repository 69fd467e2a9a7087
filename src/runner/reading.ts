import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { RemoteError } from '../base/remote-error.ts';
import type { LinkState, Plan, RecordRef } from '../domain/effect.ts';
import type { Range } from '../domain/range.ts';
import { linksOfAdopted } from '../state/adopt.ts';
import type { Tx } from '../state/database.ts';
import type { Counts } from './deliver.ts';
import type { Adopted, Change, Sink } from './sink.ts';

/** How a job reads its source and what it makes of a record. */
export interface Reading<R> {
  /** What `failed` and `explain` call such a record, e.g. `kaspi-order`. */
  recordKind: string;
  /** The slice's records, page by page; each page is held in memory alone. */
  pages(slice: Range): AsyncIterable<readonly R[]>;
  /** One record by its key, for a failed one that the window no longer holds. */
  again(key: string): Promise<R | undefined>;
  /** Whether a failed record of this kind is this reading's, where several sources give such records. */
  owns?(key: string): boolean;
  /** Records by the names that an operator calls them, whatever the window; those that cannot be told are told of, not given. */
  chosen?(names: readonly string[]): AsyncIterable<readonly R[]>;
  keyOf(record: R): string;
  /** The idempotency key of the create by which a record is known; known records are not planned again. */
  knownBy(key: string): string;
  /**
   * Called for each page before any of it is planned: reads in bulk what planning needs, and tells what stands at the
   * target already by the source's own word. That is bound in the page's transaction, and so is never made.
   */
  prepare?(records: readonly R[], state: WhatIsBound): Promise<readonly Adopted[]>;
  /** Whether a record that is not known yet concerns this job at all. Throws for a record that cannot be read. */
  wanted(record: R): boolean;
  /** May read from the source; throws `AppError` where the record cannot be planned. */
  plan(record: R): Promise<Plan>;
  /** For jobs that keep known records up to date: the links of a record whose create is done. */
  linksOf?(key: string): readonly string[];
  /** What has to change at the target, given what the links know; links that are not bound are absent. */
  change?(record: R, links: ReadonlyMap<string, LinkState>): Promise<readonly Change[]>;
  /** Further records that the slices do not hold and that are due to be looked at, page by page. */
  older?(seen: ReadonlySet<string>): AsyncIterable<readonly R[]>;
  /** Stores what the job's own table shows of the records, in the page's transaction. Returns how many rows changed. */
  keep(tx: Tx, records: readonly R[]): Promise<number>;
}

/** What the database knows of a page's records. */
export interface WhatIsBound {
  /** Keys of creates that were ever planned. */
  known: ReadonlySet<string>;
  links: ReadonlyMap<string, LinkState>;
  /** Failed records by their keys: whether the next attempt is due, which plans them anew. */
  failed: ReadonlyMap<string, boolean>;
}

export interface ReadOptions {
  job: string;
  slices: readonly Range[];
  /** Instead of the slices: the records of these names alone, whether or not they are due again. The cursor stays. */
  only?: readonly string[];
  sink: Sink;
  counts: Counts;
  signal: AbortSignal;
  log: Logger;
}

/** What a single record's own request met may be that record's; so often in a row it is the source's. */
const FAILURES_IN_A_ROW = 3;
/** Failures that one record's request may have to itself; credentials, limits and the breaker concern the whole source. */
const ONE_RECORD = new Set(['REMOTE_FAILING', 'REMOTE_ODD_ANSWER', 'REMOTE_UNREACHABLE']);

interface Pass extends ReadOptions {
  trouble: { inARow: number };
}

/** Reads every slice, plans what is new and hands it to the sink; the cursor moves with a slice's last page. */
export async function readAll<R>(reading: Reading<R>, given: ReadOptions): Promise<void> {
  const options: Pass = { ...given, trouble: { inARow: 0 } };
  const failed = await options.sink.failedKeys(reading.recordKind);
  const seen = new Set<string>();
  if (given.only !== undefined) {
    const due = new Map([...failed.keys()].map((key) => [key, true]));
    for await (const page of reading.chosen?.(given.only) ?? []) {
      if (options.signal.aborted) return;
      await readPage(reading, options, page, due, seen, undefined);
    }
    return;
  }
  for (const slice of options.slices) {
    // One page is held back, so that the slice's last one is stored together with the cursor.
    let held: readonly R[] = [];
    for await (const page of reading.pages(slice)) {
      if (options.signal.aborted) return;
      await readPage(reading, options, held, failed, seen, undefined);
      held = page;
    }
    if (options.signal.aborted) return;
    await readPage(reading, options, held, failed, seen, slice.to);
  }
  for await (const page of reading.older?.(seen) ?? []) {
    if (options.signal.aborted) return;
    await readPage(reading, options, page, failed, seen, undefined);
  }
  await readAgain(reading, options, failed, seen);
}

async function readPage<R>(
  reading: Reading<R>,
  options: Pass,
  page: readonly R[],
  failed: ReadonlyMap<string, boolean>,
  seen: Set<string>,
  cursor: Date | undefined,
): Promise<void> {
  const { sink, counts } = options;
  const records = page.filter((record) => !seen.has(reading.keyOf(record)));
  for (const record of records) seen.add(reading.keyOf(record));
  counts.fetched += records.length;
  const { known, links, adopted } = await whatIsBound(reading, sink, records, failed);
  const plans: Plan[] = [];
  const changes: Change[] = [];
  const problems: Problem[] = [];
  const kept: R[] = [];
  for (const record of records) {
    const key = reading.keyOf(record);
    const isKnown = known.has(reading.knownBy(key));
    const mayPlan = failed.get(key) ?? !isKnown;
    const stands = links.has(reading.knownBy(key));
    const outcome = await outcomeOf(reading, options, record, key, { mayPlan, stands, links });
    if (outcome === 'skip') {
      counts.skipped += 1;
      if (isKnown) kept.push(record);
      continue;
    }
    if (Array.isArray(outcome)) {
      changes.push(...outcome);
      kept.push(record);
      if (outcome.length === 0) counts.skipped += 1;
      continue;
    }
    if ('reason' in outcome) {
      problems.push(outcome);
      continue;
    }
    const { plan } = outcome;
    plans.push(plan);
    changes.push(...outcome.changes);
    kept.push(record);
    if (plan.problem !== undefined) problems.push({ record: plan.record, reason: plan.problem });
  }
  counts.failed += problems.length;
  for (const { record, reason } of problems) {
    options.log.warn({ kind: record.kind, record: record.key, reason }, 'a record has a fault; it is kept');
  }
  await sink.store({
    adopted,
    plans,
    changes,
    problems,
    cursor,
    keep: (tx) => reading.keep(tx, kept),
    kept: kept.length,
  });
}

/** What is known of a page's records, with what the source itself says of them. */
async function whatIsBound<R>(
  reading: Reading<R>,
  sink: Sink,
  records: readonly R[],
  failed: ReadonlyMap<string, boolean>,
) {
  const known = new Set(await sink.known(records.map((record) => reading.knownBy(reading.keyOf(record)))));
  const links = new Map(await sink.links(records.flatMap((record) => reading.linksOf?.(reading.keyOf(record)) ?? [])));
  const adopted = (await reading.prepare?.(records, { known, links, failed })) ?? [];
  for (const { key, remoteId, applied = null } of adopted.flatMap(linksOfAdopted)) {
    known.add(key);
    links.set(key, { key, remoteId, applied, planned: applied, revision: 0 });
  }
  return { known, links, adopted };
}

interface Problem {
  record: RecordRef;
  reason: string;
}

/** A record's plan or its changes. A failed record of which nothing is left to make may have changed as well. */
async function outcomeOf<R>(
  reading: Reading<R>,
  options: Pass,
  record: R,
  key: string,
  { mayPlan, stands, links }: { mayPlan: boolean; stands: boolean; links: ReadonlyMap<string, LinkState> },
): Promise<{ plan: Plan; changes: readonly Change[] } | Change[] | Problem | 'skip'> {
  if (!mayPlan && !stands) return 'skip';
  const first = await planOne(reading, options, record, key, mayPlan ? undefined : links);
  if (first === 'skip' || Array.isArray(first) || 'reason' in first) return first;
  if (!stands || first.effects.length > 0) return { plan: first, changes: [] };
  const then = await planOne(reading, options, record, key, links);
  // What keeps a change back keeps the record among the failed ones.
  if (then !== 'skip' && 'reason' in then) return then;
  return { plan: first, changes: Array.isArray(then) ? then : [] };
}

/** One record that fails is kept and does not hold up the others; a source that fails altogether ends the reading. */
async function planOne<R>(
  reading: Reading<R>,
  options: Pass,
  record: R,
  key: string,
  links: ReadonlyMap<string, LinkState> | undefined,
): Promise<Plan | Change[] | Problem | 'skip'> {
  try {
    if (!links && !reading.wanted(record)) return 'skip';
    const planned = links ? [...((await reading.change?.(record, links)) ?? [])] : await reading.plan(record);
    options.trouble.inARow = 0;
    return planned;
  } catch (error) {
    return { record: { kind: reading.recordKind, key }, reason: ownFailure(error, options).message };
  }
}

/** The error as one record's own, or thrown on where it is more than that. */
function ownFailure(error: unknown, { trouble }: Pass): AppError {
  if (!(error instanceof AppError) || error.kind === 'bug') throw error;
  if (!(error instanceof RemoteError) || (error.kind !== 'transient' && error.status !== 401)) return error;
  trouble.inARow += 1;
  if (!ONE_RECORD.has(error.code) || trouble.inARow >= FAILURES_IN_A_ROW) throw error;
  return error;
}

/** Failed records whose next attempt is due and that the window did not bring. */
async function readAgain<R>(
  reading: Reading<R>,
  options: Pass,
  failed: ReadonlyMap<string, boolean>,
  seen: Set<string>,
): Promise<void> {
  for (const [key, due] of failed) {
    if (!due || seen.has(key) || options.signal.aborted || reading.owns?.(key) === false) continue;
    const record = await reading.again(key).catch((error: unknown) => ownFailure(error, options));
    if (record === undefined || record instanceof AppError) {
      const reason = record instanceof AppError ? record.message : 'the source does not have it any more';
      const gone = { record: { kind: reading.recordKind, key }, reason };
      await options.sink.store({
        adopted: [],
        plans: [],
        changes: [],
        problems: [gone],
        cursor: undefined,
        keep: async () => 0,
        kept: 0,
      });
      continue;
    }
    await readPage(reading, options, [record], new Map([[key, true]]), seen, undefined);
  }
}
