import type { RecordRef } from '../domain/effect.ts';
import type { Database, Tx } from '../state/database.ts';
import { chunks } from '../state/outbox.ts';
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

const FINISHED: readonly OutboxState[] = ['done', 'superseded'];

/** Failed records, oldest first. */
export async function failedRecords({ db }: Database, { kind, ignored }: FailedFilter): Promise<FailedRow[]> {
  let query = db
    .selectFrom('failed_records')
    .selectAll()
    .where('ignored_at', ignored ? 'is not' : 'is', null)
    .orderBy('id');
  if (kind !== undefined) query = query.where('kind', '=', kind);
  const rows = await query.execute();
  const waits = await waiting(db, rows);
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

/**
 * What the outbox holds of each failed record. Asked for by keys and not by a join: without statistics SQLite would go through
 * the outbox, which holds everything that ever was, to find the few that fail.
 */
async function waiting(db: Tx, records: readonly RecordRef[]): Promise<Map<string, Waiting>> {
  const found = new Map<string, Waiting>();
  for (const kind of new Set(records.map((record) => record.kind))) {
    const keys = records.filter((record) => record.kind === kind).map(({ key }) => key);
    for (const chunk of chunks(keys, 800)) {
      const rows = await db
        .selectFrom('outbox')
        .select((eb) => ['record_key', 'state', eb.fn.countAll().as('count'), eb.fn.min('due_at').as('due_at')])
        .where('record_kind', '=', kind)
        .where('record_key', 'in', chunk)
        .where('state', 'not in', FINISHED)
        .groupBy(['record_key', 'state'])
        .execute();
      for (const row of rows) {
        const entry = found.get(`${kind}:${row.record_key}`) ?? { states: {}, due: null };
        entry.states[row.state] = Number(row.count);
        if (row.state === 'failed') entry.due = row.due_at;
        found.set(`${kind}:${row.record_key}`, entry);
      }
    }
  }
  return found;
}
