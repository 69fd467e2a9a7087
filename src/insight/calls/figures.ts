import { type RawBuilder, sql } from 'kysely';
import { cleanText } from '../../base/redact.ts';
import type { Database, Tx } from '../../state/database.ts';
import type { CallFigures } from './columns.ts';

const DAY_SECONDS = 86_400;
/** Nearest rank: the smallest wait that at least this share of calls did not exceed, as a fraction of whole numbers. */
const P90 = { of: 9, in: 10 };

export interface FiguresQuestion {
  /** First and last local day of the PBX, both included, `YYYY-MM-DD`. */
  from: string;
  to: string;
  /** `enterprise_number`; absent: all. */
  enterprise?: string | undefined;
  /** An order counts for a call that it followed within this many days. */
  withinDays: number;
}

export interface DayFigures extends CallFigures {
  day: string;
}

export interface ManagerFigures extends CallFigures {
  enterprise: string;
  /** As the mapping names him; null where it names nobody for the extension. */
  manager: string | null;
  /** Where he answered; none: nobody was rung. */
  extensions: string[];
}

export interface CallReport {
  from: string;
  to: string;
  enterprise: string | null;
  within_days: number;
  total: CallFigures;
  /** Days with calls, oldest first. */
  days: DayFigures[];
  /** The busiest first. */
  managers: ManagerFigures[];
}

interface Group {
  enterprise_number: string;
  day: string;
  manager: string | null;
  extension: string | null;
}

interface CallSums {
  calls: number;
  incoming: number;
  outgoing: number;
  answered: number;
  missed: number;
  never_called_back: number;
  talk_seconds: number;
  callbacks: number;
  callback_seconds: number;
}

interface OrderSums {
  orders: number;
  order_total: number;
  order_seconds: number;
}

/** What adds up over any set of groups; `waits`: how many answered incoming calls waited that many seconds. */
interface Sums extends CallSums, OrderSums {
  waits: Map<number, number>;
}

/** Numbers of the enterprises that calls are kept of. */
export async function enterprisesSeen({ db }: Pick<Database, 'db'>): Promise<string[]> {
  const rows = await db
    .selectFrom('calls')
    .select('enterprise_number')
    .distinct()
    .orderBy('enterprise_number')
    .execute();
  return rows.map((row) => row.enterprise_number);
}

/**
 * The figures of all calls whose local day lies in the range: together, by day and by manager (by extension, where the mapping
 * names nobody). What came of them (talks, orders) is looked for up to now, beyond the range too. Three queries, whatever the range.
 */
export async function callFigures({ db }: Pick<Database, 'db'>, question: FiguresQuestion): Promise<CallReport> {
  const total = emptySums();
  const days = new Map<string, Sums>();
  const managers = new Map<
    string,
    { head: Pick<ManagerFigures, 'enterprise' | 'manager'>; own: Set<string>; sums: Sums }
  >();
  const add = (group: Group, put: (sums: Sums) => void) => {
    const { enterprise_number: enterprise, manager, extension, day } = group;
    put(total);
    put(entry(days, day, emptySums));
    // An extension may look like another one's manager, who is named by an id.
    const key = JSON.stringify([enterprise, manager, manager === null ? extension : null]);
    const row = entry(managers, key, () => ({ head: { enterprise, manager }, own: new Set(), sums: emptySums() }));
    if (extension !== null) row.own.add(extension);
    put(row.sums);
  };
  for (const row of await callSums(db, question)) add(row, (sums) => addUp(sums, row, CALL_SUMS));
  for (const row of await orderSums(db, question)) add(row, (sums) => addUp(sums, row, ORDER_SUMS));
  for (const row of await waitCounts(db, question)) {
    add(row, ({ waits }) => waits.set(row.wait, (waits.get(row.wait) ?? 0) + row.calls));
  }
  return {
    from: question.from,
    to: question.to,
    enterprise: question.enterprise ?? null,
    within_days: question.withinDays,
    total: figuresOf(total),
    days: [...days].sort(([a], [b]) => (a < b ? -1 : 1)).map(([day, sums]) => ({ day, ...figuresOf(sums) })),
    managers: [...managers.values()]
      .map(({ head, own, sums }) => ({ ...head, extensions: extensionsOf(own), ...figuresOf(sums) }))
      .sort((a, b) => b.calls - a.calls || nameOf(a).localeCompare(nameOf(b))),
  };
}

const CALL_SUMS = [
  ...(['calls', 'incoming', 'outgoing', 'answered', 'missed', 'never_called_back'] as const),
  ...(['talk_seconds', 'callbacks', 'callback_seconds'] as const),
];
const ORDER_SUMS = ['orders', 'order_total', 'order_seconds'] as const;

function emptySums(): Sums {
  const calls = { calls: 0, incoming: 0, outgoing: 0, answered: 0, missed: 0, never_called_back: 0 };
  const times = { talk_seconds: 0, callbacks: 0, callback_seconds: 0 };
  return { ...calls, ...times, orders: 0, order_total: 0, order_seconds: 0, waits: new Map() };
}

function addUp<K extends keyof (CallSums & OrderSums)>(sums: Sums, row: Record<K, number>, names: readonly K[]): void {
  for (const name of names) sums[name] += row[name];
}

function entry<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key) ?? make();
  map.set(key, found);
  return found;
}

function count(condition: RawBuilder<unknown>): RawBuilder<number> {
  return sql<number>`sum(CASE WHEN ${condition} THEN 1 ELSE 0 END)`;
}

const GROUP = ['enterprise_number', 'day', 'manager', 'extension'] as const;

async function callSums(db: Tx, { from, to, enterprise }: FiguresQuestion): Promise<(Group & CallSums)[]> {
  return await db
    .selectFrom('call_facts')
    .select([...GROUP, (eb) => eb.fn.countAll<number>().as('calls')])
    .select([
      count(sql`direction = 'in'`).as('incoming'),
      count(sql`direction = 'out'`).as('outgoing'),
      count(sql`result = 'answered'`).as('answered'),
      count(sql`missed = 1`).as('missed'),
      count(sql`missed = 1 AND phone IS NOT NULL AND called_back_at IS NULL`).as('never_called_back'),
      sql<number>`sum(CASE WHEN result = 'answered' THEN duration ELSE 0 END)`.as('talk_seconds'),
      sql<number>`count(callback_seconds)`.as('callbacks'),
      sql<number>`coalesce(sum(callback_seconds), 0)`.as('callback_seconds'),
    ])
    .where('day', '>=', from)
    .where('day', '<=', to)
    .$if(enterprise !== undefined, (query) => query.where('enterprise_number', '=', enterprise ?? ''))
    .groupBy(GROUP)
    .execute();
}

/** Of a call's orders the first is the quickest: where that one came too late, so did the others. */
async function orderSums(
  db: Tx,
  { from, to, enterprise, withinDays }: FiguresQuestion,
): Promise<(Group & OrderSums)[]> {
  return await db
    .selectFrom('call_orders as o')
    .innerJoin('calls as c', 'c.id', 'o.call_id')
    .select(['c.enterprise_number', 'c.day', 'c.manager', 'c.extension'])
    .select((eb) => [
      eb.fn.countAll<number>().as('orders'),
      eb.fn.sum<number>('o.order_total').as('order_total'),
      eb.fn.sum<number>('o.order_seconds').as('order_seconds'),
    ])
    .where('o.nth', '=', 1)
    .where('o.order_seconds', '<=', withinDays * DAY_SECONDS)
    .where('c.day', '>=', from)
    .where('c.day', '<=', to)
    .$if(enterprise !== undefined, (query) => query.where('c.enterprise_number', '=', enterprise ?? ''))
    .groupBy(['c.enterprise_number', 'c.day', 'c.manager', 'c.extension'])
    .execute();
}

async function waitCounts(
  db: Tx,
  { from, to, enterprise }: FiguresQuestion,
): Promise<(Group & { wait: number; calls: number })[]> {
  return await db
    .selectFrom('calls')
    .select([...GROUP, 'wait', (eb) => eb.fn.countAll<number>().as('calls')])
    .where('direction', '=', 'in')
    .where('result', '=', 'answered')
    .where('day', '>=', from)
    .where('day', '<=', to)
    .$if(enterprise !== undefined, (query) => query.where('enterprise_number', '=', enterprise ?? ''))
    .groupBy([...GROUP, 'wait'])
    .execute();
}

function figuresOf(sums: Sums): CallFigures {
  const { calls, incoming, outgoing, answered, missed, never_called_back, talk_seconds, orders } = sums;
  const waits = [...sums.waits].sort(([a], [b]) => a - b);
  const waited = waits.reduce((all, [, times]) => all + times, 0);
  return {
    ...{ calls, incoming, outgoing, answered, missed, never_called_back },
    average_wait: share(
      waits.reduce((all, [wait, times]) => all + wait * times, 0),
      waited,
    ),
    p90_wait: nearestRank(waits, Math.ceil((waited * P90.of) / P90.in)),
    talk_seconds,
    average_talk: share(talk_seconds, answered),
    average_callback: share(sums.callback_seconds, sums.callbacks),
    orders,
    conversion: share(orders * 100, calls),
    order_total: Math.round(sums.order_total * 100) / 100,
    average_to_order: share(sums.order_seconds, orders),
  };
}

/** With one decimal; null of nothing. */
function share(sum: number, of: number): number | null {
  return of === 0 ? null : Math.round((sum / of) * 10) / 10;
}

function nearestRank(waits: readonly (readonly [number, number])[], rank: number): number | null {
  let place = 0;
  for (const [wait, times] of waits) {
    place += times;
    if (place >= rank) return wait;
  }
  return null;
}

/** Where calls are sent on to somebody's own telephone, that number stands in an extension's place; it is masked. */
function extensionsOf(own: ReadonlySet<string>): string[] {
  const sorted = [...own].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return [...new Set(sorted.map(cleanText))];
}

function nameOf({ enterprise, manager, extensions }: ManagerFigures): string {
  return `${enterprise} ${extensions.join(' ')} ${manager ?? ''}`;
}
