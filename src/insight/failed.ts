import type { RecordRef } from '../domain/effect.ts';
import type { Database, Tx } from '../state/database.ts';
import type { OutboxState } from '../state/tables.ts';

/** A record that could not be planned or delivered, with what waits for it. Times are UTC, ISO-8601. */
export interface FailedRow extends RecordRef {
  id: number;
  job: string;
  attempts: number;
  reason: string;
  first_seen_at: string;
  /** The earliest of its own next attempt and those of its effects; null once it was set aside. */
  next_attempt_at: string | null;
  /** Its effects that are not finished, by state. */
  waiting: Partial<Record<OutboxState, number>>;
  ignored_at: string | null;
  ignored_why: string | null;
}

export interface FailedFilter {
  kind?: string | undefined;
  /** Those set aside instead of those that are tried again. */
  ignored: boolean;
}

const FINISHED: readonly string[] = ['done', 'superseded'];

/** Failed records, oldest first; one query for them and one for what waits. */
export async function failedRecords({ db }: Database, { kind, ignored }: FailedFilter): Promise<FailedRow[]> {
  let query = db
    .selectFrom('failed_records')
    .selectAll()
    .where('ignored_at', ignored ? 'is not' : 'is', null)
    .orderBy('id');
  if (kind !== undefined) query = query.where('kind', '=', kind);
  const rows = await query.execute();
  const waits = await waiting(db, { kind, ignored });
  return rows.map(({ last_error, next_attempt_at, ...row }) => {
    const own = waits.get(`${row.kind}:${row.key}`);
    const due = [next_attempt_at, own?.due ?? null].filter((at) => at !== null).sort();
    return {
      ...row,
      reason: last_error,
      next_attempt_at: row.ignored_at === null ? (due[0] ?? null) : null,
      waiting: own?.states ?? {},
    };
  });
}

interface Waiting {
  states: Partial<Record<OutboxState, number>>;
  due: string | null;
}

/** What the outbox holds of each failed record; reached through the index on the record, whatever the outbox's size. */
async function waiting(db: Tx, { kind, ignored }: FailedFilter): Promise<Map<string, Waiting>> {
  let query = db
    .selectFrom('failed_records')
    .innerJoin('outbox', (join) =>
      join
        .onRef('outbox.record_kind', '=', 'failed_records.kind')
        .onRef('outbox.record_key', '=', 'failed_records.key'),
    )
    .select((eb) => [
      'failed_records.kind',
      'failed_records.key',
      'outbox.state',
      eb.fn.countAll().as('count'),
      eb.fn.min('outbox.due_at').as('due_at'),
    ])
    .where('failed_records.ignored_at', ignored ? 'is not' : 'is', null)
    .where('outbox.state', 'not in', FINISHED as OutboxState[])
    .groupBy(['failed_records.kind', 'failed_records.key', 'outbox.state']);
  if (kind !== undefined) query = query.where('failed_records.kind', '=', kind);
  const found = new Map<string, Waiting>();
  for (const row of await query.execute()) {
    const entry = found.get(`${row.kind}:${row.key}`) ?? { states: {}, due: null };
    entry.states[row.state] = Number(row.count);
    if (row.state === 'failed') entry.due = row.due_at;
    found.set(`${row.kind}:${row.key}`, entry);
  }
  return found;
}
