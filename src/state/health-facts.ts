import { sql } from 'kysely';
import type { Database, Tx } from './database.ts';
import { getMeta } from './meta.ts';
import type { InstantText } from './tables.ts';

/** The condition of the partial index `outbox_open`, word for word, so that both engines use it. */
const OPEN = sql<boolean>`state NOT IN ('done', 'superseded', 'ignored')`;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Work younger than this is on its way, not stuck: a pass that is just delivering is no backlog. */
const FRESH_WORK_MS = 10 * MINUTE_MS;
const WEEKS = 4;
/** More orders than this in one week's span need not be counted: it is plenty. */
const PLENTY = 50;

export interface RunFact {
  id: number;
  /** Undefined where its end was never written: it runs, or it was killed. */
  outcome: 'ok' | 'partial' | 'failed' | undefined;
  exitCode: number | null;
  error: string | null;
  startedAt: InstantText;
}

export interface JobFacts {
  job: string;
  /** The newest first. */
  runs: readonly RunFact[];
  /** End of the last good pass; where there was none, the start of the first. */
  quietSince: InstantText;
  /** End of the last good pass. */
  heartbeatAt: InstantText | undefined;
  /** The last thing that its newest unfinished pass is known to have got done. */
  progressAt: InstantText | undefined;
}

export interface OldFailures {
  recordKind: string;
  count: number;
  example: string;
}

/** How many orders came in over the same hours of earlier weeks as have passed since the last one. */
export interface OrderFlow {
  lastOrderAt: InstantText;
  /** The last moment at which the source is known to have been read. */
  until: InstantText;
  /** The week before first; undefined for weeks that the database does not reach back to. */
  weeks: readonly (number | undefined)[];
}

/** Calls that are not uploaded, for their rows do not tell whether they came in or went out. */
export interface UndirectedCalls {
  enterprise: string;
  count: number;
  example: string;
}

/** What the database says of the health of the whole; judged by `insight/health.ts`. */
export interface HealthFacts {
  now: Date;
  /** Jobs that have run here at least once. */
  jobs: readonly JobFacts[];
  /** Of the listeners that were asked for: those that have run here, with their last heartbeat. */
  listeners: readonly { name: string; heartbeatAt: InstantText }[];
  /** Records that wait, each counted once. */
  backlog: number;
  oldFailures: readonly OldFailures[];
  orders: OrderFlow | undefined;
  /** Of the last day. */
  undirected: readonly UndirectedCalls[];
  breakers: readonly { system: string; openUntil: Date }[];
  pairs: readonly { system: string; issuedAt: InstantText; expiresAt: InstantText }[];
}

export interface HealthQuestions {
  now: Date;
  jobs: readonly string[];
  /** Commands that stay in the foreground and are to be heard of all the time. */
  listeners: readonly string[];
  /** How many runs of each job are looked at. */
  runs: number;
  /** The job whose good passes prove that orders were looked for. */
  orderJob: string;
}

/** Reads the facts in a handful of indexed queries, whatever the size of the database. */
export async function healthFacts({ db }: Database, questions: HealthQuestions): Promise<HealthFacts> {
  const { now, jobs, listeners, runs, orderJob } = questions;
  return {
    now,
    jobs: await jobFacts(db, jobs, runs),
    listeners: await listenerFacts(db, listeners),
    backlog: await backlog(db, new Date(now.getTime() - FRESH_WORK_MS)),
    oldFailures: await oldFailures(db, new Date(now.getTime() - DAY_MS)),
    orders: await orderFlow(db, orderJob),
    undirected: await undirectedCalls(db, new Date(now.getTime() - DAY_MS)),
    breakers: await breakers(db),
    pairs: await pairs(db),
  };
}

async function jobFacts(db: Tx, jobs: readonly string[], limit: number): Promise<JobFacts[]> {
  const found: JobFacts[] = [];
  const meta = await db
    .selectFrom('meta')
    .select(['key', 'value', 'updated_at'])
    .where(
      'key',
      'in',
      jobs.flatMap((job) => [`heartbeat:${job}`, `cursor:${job}`]),
    )
    .execute();
  const metaOf = new Map(meta.map((row) => [row.key, row]));
  for (const job of jobs) {
    const rows = await db
      .selectFrom('runs')
      .select(['id', 'outcome', 'exit_code', 'error', 'started_at'])
      .where('job', '=', job)
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
    const [newest] = rows;
    if (newest === undefined) continue;
    const heartbeatAt = metaOf.get(`heartbeat:${job}`)?.value;
    const running = newest.outcome === null;
    found.push({
      job,
      runs: rows.map((row) => ({
        id: row.id,
        outcome: row.outcome ?? undefined,
        exitCode: row.exit_code,
        error: row.error,
        startedAt: row.started_at,
      })),
      quietSince: heartbeatAt ?? (await firstRunOf(db, job)) ?? newest.started_at,
      heartbeatAt,
      progressAt: running
        ? await progressOf(db, newest.id, newest.started_at, metaOf.get(`cursor:${job}`)?.updated_at)
        : undefined,
    });
  }
  return found;
}

async function listenerFacts(db: Tx, names: readonly string[]): Promise<HealthFacts['listeners']> {
  const found: { name: string; heartbeatAt: InstantText }[] = [];
  for (const name of names) {
    const heartbeatAt = await getMeta(db, `heartbeat:${name}`);
    if (heartbeatAt !== undefined) found.push({ name, heartbeatAt });
  }
  return found;
}

async function firstRunOf(db: Tx, job: string): Promise<InstantText | undefined> {
  const row = await db
    .selectFrom('runs')
    .select('started_at')
    .where('job', '=', job)
    .orderBy('id')
    .limit(1)
    .executeTakeFirst();
  return row?.started_at;
}

/** The last effect done by this run, or the last slice that it finished reading; the index of unpruned rows serves the former. */
async function progressOf(
  db: Tx,
  runId: number,
  startedAt: InstantText,
  cursorMovedAt: InstantText | undefined,
): Promise<InstantText | undefined> {
  const row = await db
    .selectFrom('outbox')
    .select('done_at')
    .where('payload', 'is not', null)
    .where('done_at', 'is not', null)
    .where('done_at', '>=', startedAt)
    .where('run_id', '=', runId)
    .orderBy('done_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  const moved = cursorMovedAt !== undefined && cursorMovedAt >= startedAt ? cursorMovedAt : undefined;
  return [row?.done_at ?? undefined, moved]
    .filter((at) => at !== undefined)
    .sort()
    .at(-1);
}

async function backlog(db: Tx, before: Date): Promise<number> {
  const waiting = db
    .selectFrom('outbox')
    .select(['record_kind as kind', 'record_key as key'])
    .where(OPEN)
    .where('created_at', '<=', before.toISOString())
    .union(db.selectFrom('failed_records').select(['kind', 'key']).where('ignored_at', 'is', null));
  const row = await db
    .selectFrom(waiting.as('waiting'))
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

async function undirectedCalls(db: Tx, since: Date): Promise<UndirectedCalls[]> {
  const rows = await db
    .selectFrom('calls')
    .select((eb) => ['enterprise_number', eb.fn.countAll<number>().as('n'), eb.fn.min('external_id').as('example')])
    // The condition of the partial index, word for word.
    .where(sql<boolean>`direction = 'unknown'`)
    .where('started_at', '>=', since.toISOString())
    .groupBy('enterprise_number')
    .orderBy('enterprise_number')
    .execute();
  return rows.map(({ enterprise_number, n, example }) => ({
    enterprise: enterprise_number,
    count: Number(n),
    example,
  }));
}

async function oldFailures(db: Tx, before: Date): Promise<OldFailures[]> {
  const rows = await db
    .selectFrom('failed_records')
    .select((eb) => ['kind', eb.fn.countAll<number>().as('n'), eb.fn.min('key').as('example')])
    .where('ignored_at', 'is', null)
    .where('first_seen_at', '<', before.toISOString())
    .groupBy('kind')
    .orderBy('kind')
    .execute();
  return rows.map(({ kind, n, example }) => ({ recordKind: kind, count: Number(n), example }));
}

async function orderFlow(db: Tx, job: string): Promise<OrderFlow | undefined> {
  const until = await getMeta(db, `heartbeat:${job}`);
  const edge = await db
    .selectFrom('kaspi_orders')
    .select((eb) => eb.fn.max('ordered_at').as('newest'))
    .executeTakeFirst();
  const first = await db
    .selectFrom('kaspi_orders')
    .select((eb) => eb.fn.min('ordered_at').as('oldest'))
    .executeTakeFirst();
  if (until === undefined || !edge?.newest || !first?.oldest || until <= edge.newest) return undefined;
  const weeks: (number | undefined)[] = [];
  for (let week = 1; week <= WEEKS; week++) {
    const from = shifted(edge.newest, week);
    weeks.push(from < first.oldest ? undefined : await ordersBetween(db, from, shifted(until, week)));
  }
  return { lastOrderAt: edge.newest, until, weeks };
}

function shifted(instant: InstantText, weeksBack: number): InstantText {
  return new Date(Date.parse(instant) - weeksBack * 7 * DAY_MS).toISOString();
}

async function ordersBetween(db: Tx, after: InstantText, until: InstantText): Promise<number> {
  const rows = await db
    .selectFrom('kaspi_orders')
    .select('ordered_at')
    .where('ordered_at', '>', after)
    .where('ordered_at', '<=', until)
    .limit(PLENTY)
    .execute();
  return rows.length;
}

async function breakers(db: Tx): Promise<{ system: string; openUntil: Date }[]> {
  const rows = await db
    .selectFrom('rate_limits')
    .select(['system', 'open_until'])
    .where('open_until', '>', 0)
    .execute();
  return rows.map(({ system, open_until }) => ({ system, openUntil: new Date(open_until) }));
}

async function pairs(db: Tx): Promise<{ system: string; issuedAt: InstantText; expiresAt: InstantText }[]> {
  const rows = await db
    .selectFrom('tokens')
    .select(['system', 'issued_at', 'expires_at'])
    .where('refresh_token', 'is not', null)
    .execute();
  return rows.map(({ system, issued_at, expires_at }) => ({ system, issuedAt: issued_at, expiresAt: expires_at }));
}
