import { hostname } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { AppError, ExitCode } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { OutboxRow } from '../domain/effect.ts';
import type { EffectHandler } from '../domain/handler.ts';
import { readRange, slicesOf } from '../domain/range.ts';
import { closeAlert } from '../state/alerts.ts';
import type { Database, Lock, Tx } from '../state/database.ts';
import { getMeta, readCursor, setHeartbeat, setMeta } from '../state/meta.ts';
import { countOpen, prunePayloads } from '../state/outbox.ts';
import { closeRun, openRun } from '../state/runs.ts';
import { type Counts, deliver } from './deliver.ts';
import { eachOne } from './each-one.ts';
import type { Job, JobContext, PassResult, Tables } from './job.ts';
import { readAll } from './reading.ts';
import { outboxSink, type Sink } from './sink.ts';

const DAY_MS = 86_400_000;

/** What a pass needs to read its source; enough for a dry run. */
export interface PassOptions<Clients, Settings, Mapping> {
  job: Job<Clients, Settings, Mapping>;
  database: Database;
  clients: Clients;
  settings: Settings;
  mapping: Mapping;
  /**
   * Called only where there is something to deliver. Each group is delivered by itself: an account that refuses us or is down
   * keeps back its own effects and no other's.
   */
  handlers: () => Promise<readonly (readonly EffectHandler[])[]>;
  tables: Tables;
  /** The job's own options that were given. */
  flags: ReadonlySet<string>;
  /** The operator's choice of records: nothing else is read, the cursor stays, and the pass counts as none of cron's. */
  only?: readonly string[] | undefined;
  clock: Clock;
  signal: AbortSignal;
  log: Logger;
  /** Start of the look-back window. */
  windowStart: (now: Date) => Date;
}

export interface RunOptions<Clients, Settings, Mapping> extends PassOptions<Clients, Settings, Mapping> {
  zone: string;
  lockWaitMs: number;
  quietMs: number;
  /** A longer quiet time where the target is known to need it; asked for only where there is something to deliver. */
  leastQuietMs: () => Promise<number>;
  requestMs: number;
  /** 0 = no limit; also where the operator gave `--confirm`. */
  maxChanges: number;
  keepDays: number;
  /** Kinds whose payloads are kept for ever, since the thing may have to be made anew. */
  keepKinds: readonly string[];
  requests: () => number;
  /** Refuses a database that served other accounts; called with the lock held, before anything is read. */
  checkBinding: () => Promise<void>;
  /** Binds the database to the accounts; called once the source has accepted our credentials. */
  bind: () => Promise<void>;
  /** Stores what the job's own tables show of an effect, in the transaction that marks it done. */
  settled?: (tx: Tx, row: OutboxRow, remoteId: string, now: Date) => Promise<void>;
  /** Tells a monitor outside; never fails a job. */
  ping: (ok: boolean) => Promise<void>;
}

/** One pass of a job: lock, run's row, reading, delivery, figures, heartbeat. Throws what ended it early, after it was recorded. */
export async function runJob<C, S, M>(options: RunOptions<C, S, M>): Promise<PassResult> {
  const { database, job, lockWaitMs, signal, log } = options;
  const lock = await database.lock(job.name, { waitMs: lockWaitMs, signal });
  if (!lock) {
    if (lockWaitMs > 0 && !signal.aborted) throw lockNotHad(job.name, lockWaitMs);
    log.info('skipped: locked');
    return result(job.name, 'skipped', ExitCode.Ok, emptyCounts(), 0);
  }
  try {
    return await pass(options, lock);
  } finally {
    await lock.release();
  }
}

export function emptyCounts(): Counts {
  return { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
}

async function pass<C, S, M>(options: RunOptions<C, S, M>, lock: Lock): Promise<PassResult> {
  const { database, job, clock, zone, log, signal } = options;
  const now = clock.now();
  const counts = emptyCounts();
  const runId = await database.transaction((tx) =>
    openRun(tx, { job: job.name, startedAt: now, host: hostname(), pid: process.pid }),
  );
  const runLog = log.child({ run: runId });
  let failure: unknown;
  try {
    await options.checkBinding();
    const adopting = await isAdopting(database, job.name);
    const adoptUntil = (await adoptionEnd(database)) ?? '';
    const sinkOf = async (cursor: string) =>
      outboxSink({
        ...{ database, job: job.name, cursor, now, adoptUntil },
        adopting: await isAdopting(database, cursor),
      });
    await work({ ...options, log: runLog }, { counts, now, sinkOf, adopting }, async () => {
      if (Object.keys(await countOpen(database.db, job.name)).length === 0) return;
      const given = {
        ...{ database, job: job.name, runId, clock, signal, log: runLog, counts },
        ...(options.settled === undefined ? {} : { settled: options.settled }),
        quietMs: Math.max(options.quietMs, await options.leastQuietMs()),
        requestMs: options.requestMs,
        maxChanges: options.maxChanges,
        guard: () => lock.ping(),
      };
      await eachOne(await options.handlers(), { signal }, (handlers) => deliver({ ...given, handlers }));
    });
  } catch (error) {
    failure = error;
  }
  const finishedAt = clock.now();
  const exit = exitOf(failure, counts, signal);
  const outcome = failure !== undefined ? 'failed' : counts.failed > 0 || signal.aborted ? 'partial' : 'ok';
  const requests = options.requests();
  await database.transaction(async (tx) => {
    const error = failure instanceof Error ? failure.message : null;
    await closeRun(tx, runId, { job: job.name, finishedAt, outcome, exitCode: exit, counts, requests, error, zone });
    // A person's own choice says nothing of whether cron's passes go well.
    if (failure === undefined && options.only === undefined) {
      await setHeartbeat(tx, job.name, finishedAt);
      await closeAlert(tx, 'max_changes', job.name, finishedAt);
    }
  });
  await prune(options, finishedAt);
  if (options.only === undefined) await options.ping(failure === undefined);
  runLog.info({ ...counts, requests, outcome, ms: finishedAt.getTime() - now.getTime() }, 'pass finished');
  if (failure !== undefined) throw failure;
  return result(job.name, outcome, exit, counts, requests);
}

export interface Pass {
  counts: Counts;
  now: Date;
  /** Where plans go that were made under this cursor. */
  sinkOf: (cursor: string) => Promise<Sink>;
  adopting: boolean;
}

/** Reads, then delivers; a source that cannot be read does not keep back what the outbox holds already. */
async function work<C, S, M>(options: RunOptions<C, S, M>, state: Pass, send: () => Promise<void>) {
  let unread: unknown;
  try {
    await options.job.run(await jobContext(options, state));
    await options.bind();
  } catch (error) {
    if (!(error instanceof AppError) || error.kind === 'bug') throw error;
    unread = error;
  }
  await send();
  if (unread !== undefined) throw unread;
}

/** The context of one pass; also what a dry run gives its job, with another sink. */
export async function jobContext<C, S, M>(
  options: PassOptions<C, S, M>,
  { counts, now, sinkOf, adopting }: Pass,
): Promise<JobContext<C, S, M>> {
  const { job, database, clients, settings, mapping, clock, log, signal, tables, only } = options;
  const windowStart = options.windowStart(now);
  const rangeOf = async (name: string) => {
    const cursor = await readCursor(database.db, name);
    return readRange({
      cursor: cursor === undefined ? undefined : new Date(cursor),
      overlapMs: job.overlapMs,
      windowStart,
      now,
    });
  };
  return {
    clients,
    settings,
    mapping,
    clock,
    now,
    windowStart,
    log,
    signal,
    tables,
    flags: options.flags,
    ...(only === undefined ? {} : { only }),
    adopting,
    counts,
    eachPage: async (reading, part) => {
      const cursor = part === undefined ? job.name : `${job.name}/${part}`;
      await readAll(reading, {
        job: job.name,
        slices: slicesOf(await rangeOf(cursor), job.sliceMs),
        ...(only === undefined ? {} : { only }),
        ...{ sink: await sinkOf(cursor), counts, signal, log },
      });
    },
  };
}

/** Until a cursor has passed the moment at which the database was born, restored or moved, what is read under it is adopted before it is made. */
export async function isAdopting(database: Database, cursorName: string): Promise<boolean> {
  const cursor = await readCursor(database.db, cursorName);
  const born = await adoptionEnd(database);
  return cursor === undefined || born === undefined || cursor <= born;
}

/** When the database was born, restored or moved, ISO-8601. */
async function adoptionEnd({ db }: Database): Promise<string | undefined> {
  return (await getMeta(db, 'adopt_until')) ?? (await getMeta(db, 'database_born'));
}

async function prune<C, S, M>(options: RunOptions<C, S, M>, now: Date): Promise<void> {
  const { database, keepDays, keepKinds } = options;
  const last = await getMeta(database.db, 'pruned_at');
  if (last !== undefined && now.getTime() - Date.parse(last) < DAY_MS) return;
  await database.transaction(async (tx) => {
    await prunePayloads(tx, new Date(now.getTime() - keepDays * DAY_MS), keepKinds);
    await setMeta(tx, 'pruned_at', now.toISOString(), now);
  });
}

function exitOf(failure: unknown, counts: Counts, signal: AbortSignal): ExitCode {
  if (failure instanceof AppError) return failure.exit;
  if (failure !== undefined) return ExitCode.Defect;
  if (signal.aborted) return signal.reason === 'SIGINT' ? ExitCode.Interrupted : ExitCode.Terminated;
  return counts.failed > 0 ? ExitCode.SomeFailed : ExitCode.Ok;
}

function result(
  job: string,
  outcome: PassResult['outcome'],
  exit: ExitCode,
  counts: Counts,
  requests: number,
): PassResult {
  return { job, outcome, exit, ...counts, requests };
}

function lockNotHad(job: string, waitMs: number): AppError {
  return new AppError({
    code: 'LOCK_WAIT',
    kind: 'transient',
    exit: ExitCode.LockWait,
    message: `another run of ${job} still holds the lock after ${Math.round(waitMs / 1000)} s`,
    hint: '`sdelka status` shows what is running.',
  });
}
