import { type CustomerBook, customerBook } from './book.ts';
import type {
  Actor,
  Customer,
  Fields,
  HistoryEntry,
  IntegrationModule,
  Order,
  StoredCall,
  StoredEvent,
  Task,
  User,
} from './model.ts';
import type { RetailcrmOptions } from './options.ts';

/** A customer that is no more, since it was made one with another. */
export interface MergedCustomer {
  id: number;
  into: number;
  externalId?: string;
  site: string;
}

export type HistoryKind = 'customers' | 'orders';

/** An entry without what the log itself puts in. */
export type Change = Omit<HistoryEntry, 'id' | 'createdAt' | 'source' | 'user' | 'apiKey'>;

/** The account: its content, its counters and its clock. */
export interface World {
  readonly options: RetailcrmOptions;
  readonly users: Map<number, User>;
  readonly customers: Map<number, Customer>;
  /** Of `customers`. */
  readonly book: CustomerBook;
  readonly merged: Map<number, MergedCustomer>;
  readonly orders: Map<number, Order>;
  readonly tasks: Map<number, Task>;
  readonly calls: StoredCall[];
  /** externalId → place in `calls`. */
  readonly callPlaces: Map<string, number>;
  readonly events: StoredEvent[];
  readonly modules: Map<string, IntegrationModule>;
  readonly history: Readonly<Record<HistoryKind, HistoryEntry[]>>;
  /** Now in the account's zone: `2025-08-03 14:30:00`. */
  localNow(): string;
  /** The next free id of a series. */
  nextId(series: string): number;
  /** Makes a series go on above an id given by hand. */
  raiseId(series: string, atLeast: number): void;
  log(kind: HistoryKind, by: Actor, change: Change, at?: string): void;
  /** What is to be done once the clock has come so far. */
  later(delayMs: number, work: () => void): void;
  /** Does what has fallen due. */
  settle(): void;
  /** A map as PHP sends it: an empty one as a list, by the option. */
  phpMap(map: Fields): Fields | [];
}

const FIRST_ID: Readonly<Record<string, number>> = {
  customers: 1201,
  orders: 7141,
  tasks: 301,
  calls: 9001,
  history: 2691,
};

/** A format takes longer to make than a customer. */
const formats = new Map<string, Intl.DateTimeFormat>();

function localText(ms: number, timeZone: string): string {
  const known = formats.get(timeZone);
  const format = known ?? new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  if (!known) formats.set(timeZone, format);
  return format.format(ms);
}

function authorOf(by: Actor, users: ReadonlyMap<number, User>): Pick<HistoryEntry, 'source' | 'user' | 'apiKey'> {
  if (by === 'api' || by === 'otherKey') return { source: 'api', apiKey: { current: by === 'api' } };
  const [first] = users.keys();
  return by === 'user' && first !== undefined ? { source: by, user: { id: first } } : { source: by };
}

export function createWorld(options: RetailcrmOptions): World {
  const counters = new Map<string, number>();
  const users = new Map<number, User>();
  const history: Record<HistoryKind, HistoryEntry[]> = { customers: [], orders: [] };
  let pending: { at: number; work: () => void }[] = [];
  const localNow = () => localText(options.now(), options.timeZone);

  function nextId(series: string): number {
    const id = counters.get(series) ?? FIRST_ID[series] ?? 1;
    counters.set(series, id + 1);
    return id;
  }

  return {
    options,
    users,
    customers: new Map(),
    book: customerBook(),
    merged: new Map(),
    orders: new Map(),
    tasks: new Map(),
    calls: [],
    callPlaces: new Map(),
    events: [],
    modules: new Map(),
    history,
    localNow,
    nextId,
    raiseId(series, atLeast) {
      counters.set(series, Math.max(counters.get(series) ?? FIRST_ID[series] ?? 1, atLeast + 1));
    },
    log(kind, by, change, at = localNow()) {
      const entry = { id: nextId('history'), createdAt: at, ...authorOf(by, users), ...change };
      history[kind].push(structuredClone(entry));
    },
    later(delayMs, work) {
      pending.push({ at: options.now() + delayMs, work });
    },
    settle() {
      const now = options.now();
      const due = pending.filter(({ at }) => at <= now);
      pending = pending.filter(({ at }) => at > now);
      for (const { work } of due) work();
    },
    phpMap: (map) => (Object.keys(map).length === 0 && options.emptyMapsAs === 'list' ? [] : map),
  };
}
