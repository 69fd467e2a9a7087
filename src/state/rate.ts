import type { Database, Tx } from './database.ts';

/** A slot further ahead than this was written by a clock that has been set back since; nobody queues that long. */
const LONGEST_QUEUE_MS = 60_000;

const MINUTE_MS = 60_000;
/** The breaker's pauses: the first, second, third and every later one in a row. */
const PAUSES_MS = [1 * MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, 60 * MINUTE_MS] as const;
const LONGEST_PAUSE_MS = PAUSES_MS[3];
/** After so long without an opening the pauses start from the shortest again. */
const FORGIVEN_MS = 60 * MINUTE_MS;
/** So many refusals for exceeding the limit in a row open the breaker. */
const RATE_STRIKES = 3;

/** The longest time until a request may leave, or the time until which none may. */
export type Slot = { waitMs: number } | { openUntil: Date };

/**
 * Takes the next place in the queue of requests to `system`, which all processes of the database share: places are `intervalMs` apart,
 * and idle time is not saved up. One statement, so that two processes never get one place. The caller waits `waitMs`, then sends.
 */
export async function takeSlot(database: Database, system: string, intervalMs: number, now: Date): Promise<Slot> {
  const nowMs = now.getTime();
  const interval = Math.ceil(intervalMs);
  const horizon = nowMs + Math.max(LONGEST_QUEUE_MS, 20 * interval);
  const row = await database.db
    .insertInto('rate_limits')
    .values({ system, next_at: nowMs + interval })
    .onConflict((conflict) =>
      conflict
        .column('system')
        .doUpdateSet((column) => ({
          next_at: column
            .case()
            .when(column.and([column('rate_limits.next_at', '>', nowMs), column('rate_limits.next_at', '<=', horizon)]))
            .then(column('rate_limits.next_at', '+', interval))
            .else(nowMs + interval)
            .end(),
        }))
        .where((column) =>
          column.or([
            column('rate_limits.open_until', '<=', nowMs),
            column('rate_limits.open_until', '>', nowMs + LONGEST_PAUSE_MS),
          ]),
        ),
    )
    .returning('next_at')
    .executeTakeFirst();
  if (row !== undefined) return { waitMs: row.next_at - interval - nowMs };
  const { openUntil } = await breakerState(database.db, system, now);
  // Only where the breaker was reset by hand between the two statements.
  return openUntil === undefined ? { waitMs: interval } : { openUntil };
}

/**
 * Counts a refusal: `rate` (429; the third in a row opens the breaker) or `blocked` (an HTML 403: opens it at once). Gives the time until
 * which the breaker is open, if it is. Answers that come in while it is open belong to the same incident and do not lengthen it.
 */
export function strike(
  database: Database,
  system: string,
  kind: 'rate' | 'blocked',
  now: Date,
): Promise<Date | undefined> {
  const nowMs = now.getTime();
  return database.transaction(async (tx) => {
    // Written first, so that the row stays locked until the decision stands.
    const row = await tx
      .insertInto('rate_limits')
      .values({ system, strikes: 1 })
      .onConflict((conflict) =>
        conflict.column('system').doUpdateSet((column) => ({ strikes: column('rate_limits.strikes', '+', 1) })),
      )
      .returning(['strikes', 'opened', 'open_until'])
      .executeTakeFirstOrThrow();
    if (isOpen(row.open_until, nowMs)) {
      await tx.updateTable('rate_limits').set({ strikes: 0 }).where('system', '=', system).execute();
      return new Date(row.open_until);
    }
    if (kind === 'rate' && row.strikes < RATE_STRIKES) return undefined;
    const before = nowMs - row.open_until > FORGIVEN_MS ? 0 : row.opened;
    const pauseMs = PAUSES_MS[Math.min(before, PAUSES_MS.length - 1)] ?? LONGEST_PAUSE_MS;
    await tx
      .updateTable('rate_limits')
      .set({ strikes: 0, opened: before + 1, open_until: nowMs + pauseMs })
      .where('system', '=', system)
      .execute();
    return new Date(nowMs + pauseMs);
  });
}

/** A request went well: refusals are "in a row" no more. Writes nothing where none is counted, so that it may follow every request. */
export async function relax(database: Database, system: string): Promise<void> {
  const row = await database.db
    .selectFrom('rate_limits')
    .select('strikes')
    .where('system', '=', system)
    .executeTakeFirst();
  if (row === undefined || row.strikes === 0) return;
  await database.db.updateTable('rate_limits').set({ strikes: 0 }).where('system', '=', system).execute();
}

export interface BreakerState {
  /** Refusals in a row. */
  strikes: number;
  /** How often the breaker opened without an hour's rest in between. */
  opened: number;
  /** Set while the breaker is open. */
  openUntil: Date | undefined;
}

// A time further ahead than the longest pause was written by a clock that has been set back since.
function isOpen(openUntilMs: number, nowMs: number): boolean {
  return openUntilMs > nowMs && openUntilMs <= nowMs + LONGEST_PAUSE_MS;
}

export async function breakerState(tx: Tx, system: string, now: Date): Promise<BreakerState> {
  const row = await tx
    .selectFrom('rate_limits')
    .select(['strikes', 'opened', 'open_until'])
    .where('system', '=', system)
    .executeTakeFirst();
  if (row === undefined) return { strikes: 0, opened: 0, openUntil: undefined };
  const openUntil = isOpen(row.open_until, now.getTime()) ? new Date(row.open_until) : undefined;
  return { strikes: row.strikes, opened: row.opened, openUntil };
}
