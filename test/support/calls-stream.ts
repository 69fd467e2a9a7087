import { retailSyncCalls } from '../../src/jobs/retail-sync-calls.ts';
import { retailSyncHistory } from '../../src/jobs/retail-sync-history.ts';
import { type CallKind, type CdrRecord, type CdrScript, generateCdr } from '../../src/sandbox/cdr.ts';
import type { RetailcrmOptions } from '../../src/sandbox/retailcrm.ts';
import { setMeta } from '../../src/state/meta.ts';
import { accountOf, attachFirms, type FirmOptions, firmOf } from './calls-world.ts';
import type { Scene } from './cut-loop.ts';
import type { RunOptions, World, WorldOptions } from './world.ts';

export const SYNC: RunOptions = { job: retailSyncCalls };
const HISTORY: RunOptions = { job: retailSyncHistory };

const HOUR_MS = 3_600_000;

/** Missed calls make a task and a draft order each. */
export const MISSED = 'missed: { task: true, order: true, due: 15m, within: 7d, performer: anna@firm.example }';

/** Late rows are far older than a day in the end. */
const WORLD: WorldOptions = { orders: 'first', env: { RETAIL_CALLS_LOOKBACK: '2' } };

const KINDS: Partial<Record<CallKind, number>> = {
  ...{ direct: 3, queue: 2, noAnswer: 3, ringGroupMissed: 2, out: 2, outNoAnswer: 1, anonymous: 1 },
  ...{ blindTransfer: 2, calledBack: 2, localNumber: 1, internal: 1 },
};

/**
 * Nineteen calls of a day that has all kinds in it: new clients of one call and of several, three whom the CRM knows, missed
 * ones called back and not, two missed calls of one client in a row, ours, anonymous, of a short number, handed over,
 * internal; five come late, one of them in part.
 */
export function smallFirm(now: number, options: FirmOptions = {}): FirmOptions {
  return {
    known: 3,
    lines: [MISSED],
    ...options,
    cdr: {
      ...{ seed: 779, calls: 18, phones: 7, late: 0.25, repeats: 0.1, kinds: KINDS },
      ...{ from: now - 23 * HOUR_MS, to: now - HOUR_MS },
      ...options.cdr,
    },
  };
}

export interface StreamOptions {
  crm?: Partial<RetailcrmOptions>;
  /** How people write a number (E.164); default with an 8 and brackets where it is one of the zone of +7. */
  typed?: (phone: string) => string;
}

async function attach(one: World, { crm = {} }: StreamOptions, written = true): Promise<void> {
  await attachFirms(one, smallFirm(one.clock.now().getTime(), { crm, written }));
}

/** The rows that were written long after their calls. */
function lateRows({ late }: CdrScript): CdrRecord[] {
  return late.map(({ record }) => record);
}

/** A day's calls, those that come late included, and the pass that is to bring them into RetailCRM. */
export function newCalls(options: StreamOptions = {}): Scene {
  return {
    options: WORLD,
    run: SYNC,
    seen,
    prepare: async (one) => {
      await attach(one, options);
      const { script, append } = firmOf(one);
      append(lateRows(script));
    },
  };
}

/**
 * A day's calls were brought; three hours later the late rows are there, one of which tells that a client was called back
 * in time, and calls of old clients and of new ones, two of whom somebody has typed in since.
 */
export function laterCalls(options: StreamOptions = {}): Scene {
  return {
    options: WORLD,
    run: SYNC,
    seen,
    prepare: async (one) => {
      await attach(one, options, false);
      const { crm, script, append } = firmOf(one);
      const { before, after } = withoutCallback(script);
      append(before);
      await one.settle({ jobs: [SYNC] });
      const from = one.clock.now().getTime();
      one.clock.advance(3 * HOUR_MS);
      const later = generateCdr({ ...script.options, calls: 8, phones: 12, from, to: from + 2 * HOUR_MS, late: 0 });
      append([...after, ...later.records]);
      const old = phonesOf(script);
      const fresh = phonesOf(later).filter((phone) => !old.includes(phone));
      crm.standin.seed({
        customers: fresh
          .slice(0, 2)
          .map((phone) => ({ firstName: 'Новый', phones: [{ number: (options.typed ?? typed)(phone) }] })),
      });
      clearJournal(one);
    },
  };
}

/** The rows of a day before one client is known to have been called back, whose missed call is there, and the others. */
function withoutCallback(script: CdrScript): { before: CdrRecord[]; after: CdrRecord[] } {
  const pair = script.truth.filter(({ kind }) => kind === 'calledBack');
  const idOf = (missed: boolean) => pair.find((call) => call.missed === missed)?.linkedid;
  const rows = [...script.records, ...lateRows(script)];
  const isBefore = (row: CdrRecord) =>
    row.linkedid === idOf(true) || (row.linkedid !== idOf(false) && script.records.includes(row));
  return { before: rows.filter(isBefore), after: rows.filter((row) => !isBefore(row)) };
}

function phonesOf({ truth }: CdrScript): string[] {
  return [...new Set(truth.flatMap(({ phone, whole }) => (whole && phone !== undefined ? [phone] : [])))];
}

function typed(phone: string): string {
  return phone.replace(/^\+7(\d{3})(\d{3})(\d{2})(\d{2})$/, '8 ($1) $2-$3-$4');
}

/** Customers and orders that people have changed, and the pass that is to bring it back. */
export function changedPeople(): Scene {
  const sync = newCalls();
  return {
    ...sync,
    run: HISTORY,
    prepare: async (one) => {
      await sync.prepare(one);
      await one.settle({ jobs: [SYNC] });
      const { standin } = firmOf(one).crm;
      const [first, second, third, fourth] = standin.customers();
      const [order] = standin.orders();
      if (!first || !second || !third || !fourth || !order) throw new Error('the account holds too little');
      standin.seed({
        edit: { kind: 'customer', id: first.id, set: { phones: [{ number: '+79165550001' }] } },
        remove: { customer: second.id },
        merge: { customers: [third.id], into: fourth.id },
      });
      standin.edit({ kind: 'order', id: order.id, set: { status: 'complete' } });
      clearJournal(one);
    },
  };
}

export function clearJournal(one: World): void {
  firmOf(one).crm.journal.length = 0;
}

/** What the account holds and what the tables say of it, by names; doubles show. */
export async function seen(one: World): Promise<unknown> {
  const firm = firmOf(one);
  return { account: accountOf(firm), tables: await tablesOf(one), failed: await failedOf(one) };
}

async function tablesOf(one: World): Promise<unknown> {
  const { db } = one.database;
  const names = namesOf(one);
  const nameOf = (id: number | null) => (id === null ? null : (names.get(id) ?? 'nobody'));
  const calls = await db.selectFrom('calls').selectAll().orderBy('external_id').execute();
  const phones = await db.selectFrom('retailcrm_customers').selectAll().orderBy('phone').execute();
  const orders = await db.selectFrom('retailcrm_orders').selectAll().orderBy('phone').execute();
  return {
    calls: calls.map(({ id: _id, created_at: _c, updated_at: _u, uploaded_at, retailcrm_customer_id, ...call }) => {
      return { ...call, uploaded: uploaded_at !== null, customer: nameOf(retailcrm_customer_id) };
    }),
    phones: phones.map(({ phone, retailcrm_customer_id }) => `${phone}: ${nameOf(retailcrm_customer_id)}`),
    orders: orders.map(({ phone, status, cancelled, retailcrm_customer_id }) => {
      return [phone, status, cancelled, nameOf(retailcrm_customer_id)];
    }),
  };
}

function namesOf(one: World): Map<number, string> {
  const customers = firmOf(one).crm.standin.customers();
  return new Map(customers.map(({ id, phones }) => [id, phones.map(({ number }) => number).join(' ')]));
}

/** Records that are kept as failed, each with its reason. */
export async function failedOf(one: World): Promise<string[]> {
  const rows = await one.database.db.selectFrom('failed_records').select(['kind', 'last_error']).execute();
  return rows.map(({ kind, last_error }) => `${kind}: ${last_error}`).sort();
}

/** The tables that operators read say the same as the account: what is wrong, in words. */
export async function disagreements(one: World): Promise<string[]> {
  const { crm } = firmOf(one);
  const calls = await one.database.db.selectFrom('calls').selectAll().execute();
  const uploaded = new Map(crm.standin.calls().map((call) => [call.externalId, call]));
  const faults = calls.flatMap(({ external_id, uploaded_at, retailcrm_customer_id }) => {
    const held = uploaded.get(external_id);
    const owner = held?.customerId ?? null;
    return (uploaded_at !== null) === (held !== undefined) && (held === undefined || owner === retailcrm_customer_id)
      ? []
      : [
          `${external_id}: uploaded ${uploaded_at}, of ${retailcrm_customer_id}; held ${held !== undefined}, of ${owner}`,
        ];
  });
  const known = new Set(calls.map(({ external_id }) => external_id));
  const strange = [...uploaded.keys()].filter((name) => name === undefined || !known.has(name));
  const phones = await one.database.db.selectFrom('retailcrm_customers').selectAll().execute();
  const held = new Set(crm.standin.customers().map(({ id }) => id));
  const gone = phones.filter((row) => !held.has(row.retailcrm_customer_id));
  return [
    ...faults,
    ...strange.map((name) => `${name}: not in the table`),
    ...gone.map(({ phone }) => `${phone}: nobody's`),
  ];
}

/** What one missed call makes is made once; each phone is one customer. */
export function doubles(one: World): string[] {
  const { standin } = firmOf(one).crm;
  const found = [
    ...standin.calls().map(({ externalId }) => `call ${externalId}`),
    ...standin
      .customers()
      .flatMap(({ phones }) => phones.map(({ number }) => `customer ${number.replace(/\D/g, '').slice(-9)}`)),
    ...standin.tasks().map(({ commentary }) => `task ${commentary}`),
    ...standin.orders().map(({ externalId }) => `order ${externalId}`),
  ];
  return [...new Set(found.filter((name, at) => found.indexOf(name) !== at))];
}

/** The database is gone and made anew: nothing is known, and all that is there may be at the target already. */
export async function loseDatabase(one: World): Promise<void> {
  const born = one.clock.now();
  const { db } = one.database;
  const tables = [
    'outbox',
    'links',
    'failed_records',
    'alerts',
    'runs',
    'meta',
    'calls',
    'retailcrm_customers',
    'retailcrm_orders',
  ] as const;
  for (const table of tables) await db.deleteFrom(table).execute();
  await one.database.transaction((tx) => setMeta(tx, 'database_born', born.toISOString(), born));
}
