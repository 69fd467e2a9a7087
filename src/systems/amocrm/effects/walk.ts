import type { Delivery } from '../../../domain/handler.ts';

/** What the newest-first walk needs of a row. Times are unix seconds. */
export interface WalkRow {
  id: number;
  createdAt: number;
}

export interface WalkOptions<R extends WalkRow> {
  /** One page of the list, newest first; 1-based; at most 250 rows; empty past the end. */
  page: (number: number) => Promise<readonly R[]>;
  /** The walk goes back past this moment. */
  since: Date;
  visit: (row: R) => void;
  /** Ids of records known to exist; the walk is trusted only if it meets one of those that do. */
  controls: readonly number[];
  /** Which of these ids exist, asked for one by one or by id. */
  existing: (ids: readonly number[]) => Promise<ReadonlySet<number>>;
}

/**
 * Controls must be bound before this: what was made right before a doubtful sending vouches best that the list shows the
 * time of that sending. Effects that were never sent have no such moment; then the newest record of all will do.
 */
export function controlsBefore(deliveries: readonly Delivery[]): Date {
  const sent = deliveries.flatMap(({ row }) => (row.sentAt === null ? [] : [Date.parse(row.sentAt)]));
  return sent.length > 0 ? new Date(Math.min(...sent)) : new Date('9999-12-31T00:00:00Z');
}

/** 50,000 records: a walk that goes on longer than that asks for more than it may. */
const MAX_PAGES = 200;
const PAGE = 250;

/**
 * The universal probe: an account's list walked newest first, back past a moment. No filter is used, for filters lie.
 * Returns undefined where the walk can be trusted, else why it cannot. The order by id is asked for and not relied on:
 * where rows come in another order, the whole list is read.
 */
export async function walkNewestFirst<R extends WalkRow>(options: WalkOptions<R>): Promise<string | undefined> {
  const since = options.since.getTime() / 1000;
  const met = new Set<number>();
  let previous = Number.POSITIVE_INFINITY;
  let ordered = true;
  let oldest = Number.POSITIVE_INFINITY;
  for (let number = 1; number <= MAX_PAGES; number++) {
    const rows = await options.page(number);
    for (const row of rows) {
      if (row.id > previous) ordered = false;
      previous = row.id;
      oldest = Math.min(oldest, row.id);
      if (options.controls.includes(row.id)) met.add(row.id);
      options.visit(row);
    }
    const ended = rows.length < PAGE;
    const past = ordered && rows.length > 0 && rows.every((row) => row.createdAt < since);
    if (!ended && !past) continue;
    if (met.size > 0 || options.controls.length === 0) return undefined;
    const due = ended ? options.controls : options.controls.filter((id) => id >= oldest);
    // A control that lies further back than the walk needs to go says nothing yet.
    if (due.length === 0 && !ended) continue;
    const existing = await options.existing(due);
    return existing.size === 0 ? undefined : 'the list does not show records that exist';
  }
  return `the list is longer than ${MAX_PAGES} pages`;
}
