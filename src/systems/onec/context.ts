import { createHash } from 'node:crypto';
import { ExitCode } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { OnecMapping } from '../../config/mapping-onec-types.ts';
import type { OnecRef } from '../../domain/onec.ts';
import type { OnecEntity, OnecOdata } from './api.ts';
import { odataCode } from './errors.ts';
import { BATCH, chunks } from './filters.ts';
import type { OnecCache } from './memory.ts';
import { refOf, textOf } from './schema.ts';

export interface OnecReaderOptions {
  odata: OnecOdata;
  mapping: OnecMapping;
  /** IANA zone of the 1C server; the mapping's own `server.timeZone` goes before it. */
  zone: string;
  /** ISO country in which phones without a country code are read. */
  country: string;
  cache: OnecCache;
  log: Logger;
  /** The 1C user as whom we work. */
  login?: string;
  /** Address of the 1C base: what is remembered of one base is not used for another. */
  source?: string;
}

/** What the parts of the reader share within one run. */
export interface ReaderContext extends OnecReaderOptions {
  /** Of the mapping and the base: part of every key in the cache. */
  hash: string;
  /** The answer of the first call under this key, for the whole run; a failure is not kept. */
  once<T>(key: string, load: () => Promise<T>): Promise<T>;
  /** Things that stand in 1C and that it would not show: reference → its refusal. */
  hidden: Map<string, RemoteError>;
}

export function readerContext(options: OnecReaderOptions): ReaderContext {
  const { documents, catalogs, properties, changes, defaults, operations, statuses } = options.mapping;
  const named = { documents, catalogs, properties, changes, defaults, operations, statuses, source: options.source };
  const kept = new Map<string, Promise<unknown>>();
  return {
    ...options,
    hidden: new Map(),
    hash: createHash('sha256').update(JSON.stringify(named)).digest('hex').slice(0, 16),
    once: <T>(key: string, load: () => Promise<T>): Promise<T> => {
      const known = kept.get(key) as Promise<T> | undefined;
      if (known !== undefined) return known;
      const loading = load();
      kept.set(key, loading);
      loading.catch(() => kept.delete(key));
      return loading;
    },
  };
}

export const DAY_MS = 24 * 3_600_000;

class Unkept extends Error {
  readonly answer: unknown;
  constructor(answer: unknown) {
    super('not kept');
    this.answer = answer;
  }
}

/** As `cached`, but an answer with faults is not kept: who has mended 1C or the mapping need not wait for a day. */
export async function cachedWhileFine<T extends { faults: readonly string[] }>(
  cache: OnecCache,
  key: string,
  maxAgeMs: number,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await cache.cached(key, maxAgeMs, async () => {
      const answer = await load();
      if (answer.faults.length > 0) throw new Unkept(answer);
      return answer;
    });
  } catch (error) {
    if (error instanceof Unkept) return error.answer as T;
    throw error;
  }
}

/** Whether 1C said no to the request itself, which another form of it may get past. */
export function isRefusal(error: unknown): error is RemoteError {
  const said = error instanceof RemoteError && error.outcome === 'refused' && error.kind !== 'transient';
  return said && error.exit !== ExitCode.CredentialsRefused;
}

/** Undefined where 1C refuses the request; every other failure stays one. */
export async function unlessRefused<T>(request: Promise<T>): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

export async function collect(pages: AsyncIterable<OnecEntity[]>): Promise<OnecEntity[]> {
  const rows: OnecEntity[] = [];
  for await (const page of pages) rows.push(...page);
  return rows;
}

export function onecRef(ref: string, row: OnecEntity): OnecRef {
  return { ref, code: textOf(row, 'Code'), name: textOf(row, 'Description') };
}

/** Rows by their reference; a row without one is no object. */
export function byRef(rows: readonly OnecEntity[]): Map<string, OnecEntity> {
  const found = new Map<string, OnecEntity>();
  for (const row of rows) {
    const ref = refOf(row, 'Ref_Key');
    if (ref !== undefined) found.set(ref, row);
  }
  return found;
}

/** Things of a catalog by reference, each asked for once a run; what is gone is absent, and what is not shown to us is `hidden` besides. */
export function thingReader(context: ReaderContext) {
  const kept = new Map<string, Map<string, OnecEntity | undefined>>();
  return async (
    set: string,
    refs: Iterable<string | undefined>,
    select?: readonly string[],
  ): Promise<Map<string, OnecEntity>> => {
    const known = kept.get(set) ?? new Map<string, OnecEntity | undefined>();
    kept.set(set, known);
    const wanted = [...new Set(refs)].filter((ref) => ref !== undefined);
    const missing = wanted.filter((ref) => !known.has(ref));
    for (const some of chunks(missing, BATCH)) {
      const rows = await rowsOf(context, set, some, select);
      for (const ref of some) known.set(ref, rows.get(ref));
    }
    const found = new Map<string, OnecEntity>();
    for (const ref of wanted) {
      const row = known.get(ref);
      if (row !== undefined) found.set(ref, row);
    }
    return found;
  };
}

/** One object that our user may not see makes 1C refuse the whole batch; the others are then asked for one by one. */
async function rowsOf(
  { odata, log, hidden }: ReaderContext,
  set: string,
  refs: readonly string[],
  select: readonly string[] | undefined,
): Promise<Map<string, OnecEntity>> {
  try {
    return await odata.byRefs(set, refs, select);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    log.warn({ set, reason: error.message }, '1C does not show some objects');
    const found = new Map<string, OnecEntity>();
    // A set that is not published is one that the exchange can do without, or it would not have begun.
    if (odataCode(error) === '8') return found;
    if (refs.length === 1) {
      for (const ref of refs) hidden.set(ref, error);
      return found;
    }
    for (const ref of refs) {
      try {
        for (const [key, row] of await odata.byRefs(set, [ref], select)) found.set(key, row);
      } catch (refusal) {
        if (!isRefusal(refusal)) throw refusal;
        hidden.set(ref, refusal);
      }
    }
    return found;
  }
}

export type ThingReader = ReturnType<typeof thingReader>;
