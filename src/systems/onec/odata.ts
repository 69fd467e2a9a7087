import { assert } from '../../base/errors.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import type { Secret } from '../../base/secret.ts';
import { EMPTY_REF } from '../../domain/onec.ts';
import { oddAnswer } from '../../http/classify.ts';
import type { RequestOptions, SystemHttp, SystemOptions } from '../../http/core.ts';
import { guid, type OnecEntity, type OnecOdata, type OnecQuery, type OnecRecordKey } from './api.ts';
import { type Asking, type AskOptions, asking } from './ask.ts';
import { CREDENTIALS, classifyOnec, isDuplicate, odataCode } from './errors.ts';
import { parseMetadata } from './metadata.ts';
import {
  bodyFor1c,
  entityPath,
  isGuid,
  type KeySpelling,
  orFilters,
  queryString,
  recordBody,
  recordPath,
  setPath,
} from './query.ts';
import { toLocal } from './time.ts';

const SYSTEM = 'onec';
/** Not below this many rows a page: smaller ones would turn one failing row into hundreds of requests. */
const SMALLEST_PAGE = 5;
const SHRINK = 4;
/** Of one list; some millions of rows at the usual page. Past it the server ignores $skip in a way we do not know. */
const MAX_PAGES = 10_000;

export interface OnecOdataOptions extends AskOptions {
  now(): Date;
  /** IANA zone of the 1C server. */
  zone: string;
  /** By how much our clock is ahead of the server's, as the core has it; undefined before the first answer. */
  skewMs(): number | undefined;
  /** Default 10,000. */
  maxPages?: number;
}

/** What every request to 1C carries. The login is encoded as UTF-8 before base64: cp1251 gives IIS's 401.5 (seen live). */
export function onecHeaders(user: string, password: Secret | undefined): Record<string, string> {
  const login = Buffer.from(`${user}:${password?.reveal() ?? ''}`, 'utf8').toString('base64');
  return { authorization: `Basic ${login}`, accept: 'application/json' };
}

/** 1C for `HttpCore.for`. `timeoutMs` holds where a request names none; the client always does. */
export function onecSystem(baseUrl: string, user: string, password: Secret | undefined): SystemOptions {
  return {
    system: SYSTEM,
    baseUrl,
    headers: onecHeaders(user, password),
    timeoutMs: 60_000,
    credentials: CREDENTIALS,
    classify: classifyOnec,
  };
}

/**
 * 1C's standard OData interface, version 3, over a system made by `onecSystem`. `close` ends the session at 1C. Routes are
 * named `<set>.<verb>`: which set was refused is what an operator needs to know.
 */
export function onecOdata(http: SystemHttp, options: OnecOdataOptions): OnecOdata & { close(): Promise<void> } {
  const { ask, close, longTimeoutMs } = asking(http, options);

  function list(set: string, query: OnecQuery, given: Partial<RequestOptions<OnecEntity[]>> = {}) {
    const path = setPath(set);
    return ask({ method: 'GET', path, query: queryString(query), route: `${set}.list`, schema: listAnswer, ...given });
  }

  async function one(set: string, ref: string, select?: readonly string[]): Promise<OnecEntity | undefined> {
    const query = queryString(select === undefined ? {} : { select });
    try {
      return await ask({ method: 'GET', path: entityPath(set, ref), query, route: `${set}.get`, schema: entityAnswer });
    } catch (error) {
      if (odataCode(error) === '9') return undefined;
      throw error;
    }
  }

  async function byRefs(set: string, refs: readonly string[], select?: readonly string[]) {
    const wanted = new Set(refs.map((ref) => ref.toLowerCase()).filter((ref) => isGuid(ref) && ref !== EMPTY_REF));
    const columns = select === undefined || select.includes('Ref_Key') ? select : ['Ref_Key', ...select];
    const found = new Map<string, OnecEntity>();
    const keep = (row: OnecEntity) => {
      const ref = String(row.Ref_Key).toLowerCase();
      if (wanted.has(ref)) found.set(ref, row);
    };
    for (const filter of orFilters([...wanted].map((ref) => `Ref_Key eq ${guid(ref)}`))) {
      for (const row of await list(set, { filter, ...(columns && { select: columns }) })) keep(row);
    }
    // A filter that lies gives too little without an error; what is truly gone costs a request each.
    for (const ref of wanted) {
      const row = found.has(ref) ? undefined : await one(set, ref, columns);
      if (row !== undefined) keep({ ...row, Ref_Key: ref });
    }
    return found;
  }

  async function create(set: string, body: OnecEntity, onSend?: () => Promise<void>): Promise<OnecEntity> {
    const sent = { body: bodyFor1c(body), ...(onSend && { onSend }) };
    const query = queryString();
    return ask({ method: 'POST', path: setPath(set), query, route: `${set}.create`, schema: entityAnswer, ...sent });
  }

  async function change(
    set: string,
    ref: string,
    body: OnecEntity,
    { dataVersion, onSend }: { dataVersion?: string; onSend?: () => Promise<void> } = {},
  ): Promise<OnecEntity> {
    return ask({
      method: 'PATCH',
      path: entityPath(set, ref),
      query: queryString(),
      route: `${set}.change`,
      schema: entityAnswer,
      body: bodyFor1c(body),
      ...(dataVersion === undefined ? {} : { headers: { 'if-match': dataVersion } }),
      ...(onSend && { onSend }),
    });
  }

  async function post(set: string, ref: string, onSend?: () => Promise<void>): Promise<void> {
    const path = `${entityPath(set, ref)}/Post`;
    const query = `PostingModeOperational=false&${queryString()}`;
    const route = `${set}.post`;
    await ask({ method: 'POST', path, query, route, schema: anyAnswer, text: true, ...(onSend && { onSend }) });
  }

  return {
    list: (set, query) => list(set, query),
    pages: (set, query) => pages(set, query, list, options.maxPages ?? MAX_PAGES),
    byRefs,
    get: (set, ref) => one(set, ref),
    create,
    change,
    post,
    putRecord: recordWriter(ask),
    metadata: () =>
      ask({
        method: 'GET',
        path: '/$metadata',
        route: 'metadata.get',
        headers: { accept: 'application/xml' },
        schema: { parse: (text) => parseMetadata(String(text ?? '')) },
        text: true,
        timeoutMs: longTimeoutMs,
      }),
    localNow: () => toLocal(new Date(options.now().getTime() - (options.skewMs() ?? 0)), options.zone),
    close,
  };
}

type List = (set: string, query: OnecQuery, given?: Partial<RequestOptions<OnecEntity[]>>) => Promise<OnecEntity[]>;

/**
 * 1C builds a whole answer in a temporary file, so that a page may fail for its weight alone: then a smaller one is asked for,
 * from the same row on, and pages stay small. Only a page that can shrink no more is repeated as it is.
 */
async function* pages(set: string, query: OnecQuery & { pageSize: number }, list: List, maxPages: number) {
  assert(query.orderby !== undefined, `${set}: pages need a stable order`);
  const { pageSize, ...plain } = query;
  const first = query.skip ?? 0;
  let size = Math.max(pageSize, 1);
  let skip = first;
  let previous = '';
  for (let page = 0; ; ) {
    if (page >= maxPages) throw oddAnswer({ system: SYSTEM, route: `${set}.list` }, `more than ${maxPages} pages`);
    const most = query.top === undefined ? size : Math.min(size, query.top - (skip - first));
    if (most <= 0) return;
    let rows: OnecEntity[];
    try {
      rows = await list(set, { ...plain, top: most, skip }, { repeatable: size <= SMALLEST_PAGE });
    } catch (error) {
      if (size <= SMALLEST_PAGE || !mayBeWeight(error)) throw error;
      size = Math.max(SMALLEST_PAGE, Math.floor(size / SHRINK));
      continue;
    }
    page += 1;
    if (rows.length === 0) return;
    // A server that ignores $skip would feed us its first page for ever.
    const print = JSON.stringify(rows);
    if (print === previous) throw oddAnswer({ system: SYSTEM, route: `${set}.list` }, 'two equal pages in a row');
    previous = print;
    yield rows;
    if (rows.length < most) return;
    skip += rows.length;
  }
}

/** A time-out, a cut answer, 5xx, 413, or a failure that 1C has no better code for. */
function mayBeWeight(error: unknown): boolean {
  if (!(error instanceof RemoteError)) return false;
  return error.outcome === 'in-doubt' || error.status === 413 || odataCode(error) === '-1';
}

/** A record is made, or changed where it stands already: the same in the end however often it is sent, so no doubt remains. */
function recordWriter(ask: Asking['ask']): OnecOdata['putRecord'] {
  /** Which of two spellings of a key this server takes, once it has taken one. */
  let spelling: KeySpelling | undefined;

  async function patch(set: string, key: OnecRecordKey, values: OnecEntity, how: KeySpelling, rest: Sent) {
    const path = recordPath(set, key, how);
    const body = bodyFor1c(values);
    const query = queryString();
    await ask({ method: 'PATCH', path, query, route: `${set}.put`, schema: anyAnswer, text: true, body, ...rest });
    spelling = how;
  }

  return async (set, key, values, onSend) => {
    const rest: Sent = { repeatable: true, ...(onSend && { onSend }) };
    const made = { body: { ...recordBody(key), ...bodyFor1c(values) }, query: queryString(), ...rest };
    try {
      await ask({ method: 'POST', path: setPath(set), route: `${set}.put`, schema: anyAnswer, text: true, ...made });
      return;
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
    if (spelling !== undefined) return patch(set, key, values, spelling, rest);
    try {
      await patch(set, key, values, 'text', rest);
    } catch (error) {
      // Only a key that the server did not understand or find is worth the other spelling.
      if (!(error instanceof RemoteError) || (error.status !== 400 && error.status !== 404)) throw error;
      await patch(set, key, values, 'guid', rest);
    }
  };
}

type Sent = Pick<RequestOptions<undefined>, 'repeatable' | 'onSend'>;

function isEntity(value: unknown): value is OnecEntity {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const listAnswer: Schema<OnecEntity[]> = {
  parse: (input) => {
    const rows = isEntity(input) ? input.value : undefined;
    if (!Array.isArray(rows)) throw new Error('value: expected a list');
    if (!rows.every(isEntity)) throw new Error('value: expected objects');
    return rows as OnecEntity[];
  },
};

const entityAnswer: Schema<OnecEntity> = {
  parse: (input) => {
    if (!isEntity(input)) throw new Error('expected an object');
    return input;
  },
};

/** Only that it was 1C who answered: a login page with 200 is no success. */
const anyAnswer: Schema<undefined> = {
  parse: (input) => {
    if (/^\s*<(?:!doctype|html)/i.test(String(input ?? ''))) throw new Error('a web page');
    return undefined;
  },
};
