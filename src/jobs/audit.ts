import { AppError, ExitCode } from '../base/errors.ts';
import type { Mapping } from '../config/mapping.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { KnownOrder } from '../domain/audit.ts';
import { slicesOf } from '../domain/range.ts';
import type { JobContext } from '../runner/job.ts';
import type { AmocrmClient } from '../systems/amocrm/client.ts';
import { type DealPayload, type GoodLinkPayload, KINDS, keys } from '../systems/amocrm/effects/payloads.ts';
import { walkNewestFirst } from '../systems/amocrm/effects/walk.ts';
import type { AmoMemory } from '../systems/amocrm/memory.ts';
import type { Deal, Pipeline } from '../systems/amocrm/schema.ts';
import type { AmoSettings } from '../systems/amocrm/settings.ts';
import { type KaspiClient, SLICE_MS } from '../systems/kaspi/client.ts';
import { orderFromKaspi } from '../systems/kaspi/convert.ts';
import { headOf } from '../systems/kaspi/head.ts';
import type { OrderItem } from '../systems/kaspi/schema.ts';
import type { KaspiSettings } from '../systems/kaspi/settings.ts';
import { defineJob } from './define.ts';
import {
  type AuditedDeal,
  type AuditedOrder,
  auditMessages,
  compareSides,
  type Expected,
  type Sides,
} from './kaspi-audit.ts';
import { type CodePlaces, codeOf, nameOfTemplate } from './kaspi-codes.ts';
import { ORDER_RECORD } from './kaspi-orders.ts';
import { type OrderPlanOptions, planOrder, stageRow } from './kaspi-plan.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** A difference is looked at again until it is gone, though never longer than this. */
const LONGEST_MS = 14 * DAY_MS;
/** Their clocks and ours may differ; a deal may seem older than its order. */
const SKEW_MS = HOUR_MS;
/** Changes are given this time at least to get from Kaspi to amoCRM, and lists to show what was written. */
const QUIET_MS = 15 * 60_000;
/** So many deals are read by themselves to be sure; it bounds the requests where an account is in great disorder. */
const SURE_READS = 50;
const PAGE = 250;

export interface AmoAccess {
  client: AmocrmClient;
  memory: AmoMemory;
}

export type AuditContext = JobContext<
  { kaspi: KaspiClient; amocrm: () => Promise<AmoAccess> },
  CoreSettings & KaspiSettings & AmoSettings,
  Mapping
>;

export const audit = defineJob({
  name: 'audit',
  summary: 'Kaspi orders and amoCRM deals compared as sets, by day; differences by id, alerted',
  systems: ['kaspi', 'amocrm'],
  lookback: 'AUDIT_LOOKBACK',
  overlapMs: 0,
  sliceMs: SLICE_MS,
  run: async (context: AuditContext) => {
    const { counts, now, settings, signal, tables } = context;
    const from = await startOf(context);
    const reconciledAt = await tables.audits.heartbeat('kaspi:reconcile');
    const orders = await readOrders(context, from, statesOf(settings, reconciledAt));
    const amo = await context.clients.amocrm();
    const { externalIdField, name } = context.mapping.kaspi.deal;
    const places = { field: externalIdField, name: nameOfTemplate(name) };
    const deals = await readDeals(amo, places, from);
    const sides = await makeSure(await sidesOf(context, amo, { orders, deals, reconciledAt }), amo.client, places);
    if (signal.aborted) return;
    const verdict = compareSides(sides);
    counts.fetched = orders.length;
    // Whoever looks at the exit code or at `runs` sees that the two sides differ.
    counts.failed = verdict.differences.length;
    const found = { stream: 'kaspi', at: now.toISOString(), from: from.toISOString(), to: now.toISOString() } as const;
    await tables.audits.keep({ ...found, ...verdict }, auditMessages(verdict.differences, settings.LOCALE));
  },
});

/** The window's start, or the oldest order that the audit before found fault with: a window that moves on must heal nothing. */
async function startOf({ tables, windowStart, now }: AuditContext): Promise<Date> {
  const last = await tables.audits.last('kaspi');
  const faulty = (last?.differences ?? []).map(({ at }) => Date.parse(at));
  const longest = now.getTime() - LONGEST_MS;
  return new Date(Math.min(windowStart.getTime(), ...faulty.filter((at) => at >= longest)));
}

/** Orders in these states should have a deal; those that were born and archived unseen are made by the job that compares. */
function statesOf({ KASPI_ALLOWED_STATES }: KaspiSettings, reconciledAt: Date | undefined): readonly string[] {
  return reconciledAt === undefined ? KASPI_ALLOWED_STATES : [...KASPI_ALLOWED_STATES, 'ARCHIVE'];
}

async function readOrders(context: AuditContext, from: Date, states: readonly string[]): Promise<AuditedOrder[]> {
  const { clients, now, signal, settings } = context;
  const orders: AuditedOrder[] = [];
  const seen = new Set<string>();
  const dayOf = dayFormat(settings.TIMEZONE);
  for (const slice of slicesOf({ from, to: now }, SLICE_MS)) {
    for await (const { items } of clients.kaspi.orders(slice)) {
      if (signal.aborted) return orders;
      for (const item of items) {
        if (seen.has(item.code)) continue;
        seen.add(item.code);
        orders.push(audited(item, context, states, dayOf));
      }
    }
  }
  return orders;
}

/** Only what is compared is kept of an order, for a window may hold thousands. */
function audited(
  item: OrderItem,
  context: AuditContext,
  states: readonly string[],
  dayOf: (at: Date) => string,
): AuditedOrder {
  const { now } = context;
  const head = readable(() => headOf(item.wire));
  // An order that cannot be read is no less an order; `kaspi:poll` keeps it among the failed records.
  if (!head) return { code: item.code, createdAt: now, day: dayOf(now), concerned: true };
  const { code, createdAt, state } = head;
  const expected = readable(() => expectedOf(item, context));
  const order = { code, createdAt, day: dayOf(createdAt), concerned: states.includes(state) };
  return expected ? { ...order, expected } : order;
}

function readable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof AppError && error.kind !== 'bug') return undefined;
    throw error;
  }
}

function expectedOf(item: OrderItem, context: AuditContext): Expected {
  const { mapping, settings } = context;
  const order = orderFromKaspi(item.wire, item.entries ?? []);
  const { effects } = planOrder(order, planOptions(context));
  const payloads = (kind: string) => effects.filter((effect) => effect.kind === kind).map(({ payload }) => payload);
  const [deal] = payloads(KINDS.deal) as DealPayload[];
  const row = stageRow(order, mapping.kaspi.stages);
  const goods = (payloads(KINDS.goodLink) as GoodLinkPayload[]).map(({ goodKey, quantity }) => ({
    sku: goodKey.slice(keys.good(settings.AMO_CATALOG_ID ?? 0, '').length),
    quantity,
  }));
  return {
    state: order.state,
    status: order.status,
    totalMinor: order.totalMinor,
    price: deal?.price ?? 0,
    stage:
      deal?.statusId === undefined
        ? undefined
        : {
            pipelineId: deal.pipelineId,
            statusId: deal.statusId,
            mapped: row !== undefined,
            afterFinal: row?.afterFinal ?? false,
          },
    goods: item.entries === undefined || settings.AMO_CATALOG_ID === undefined ? undefined : goods,
  };
}

function planOptions({ settings, mapping }: AuditContext): OrderPlanOptions {
  return {
    mapping,
    pipelineId: settings.AMO_PIPELINE_ID,
    statusId: settings.AMO_STATUS_ID,
    responsibleUserId: settings.AMO_RESPONSIBLE_USER_ID,
    catalogId: settings.AMO_CATALOG_ID,
    locale: settings.LOCALE,
    zone: settings.TIMEZONE,
    backfill: false,
  };
}

/** Deals of the same span by the code that they show, and by id; no filter is used, for filters lie. */
interface ListedDeals {
  byCode: Map<string, Deal[]>;
  byId: Map<number, Deal>;
}

async function readDeals({ client, memory }: AmoAccess, places: CodePlaces, from: Date): Promise<ListedDeals> {
  const listed: ListedDeals = { byCode: new Map(), byId: new Map() };
  const since = new Date(from.getTime() - SKEW_MS);
  const distrust = await walkNewestFirst<Deal>({
    page: async (page) => {
      const query = { page, limit: PAGE, order: { by: 'id', direction: 'desc' }, with: ['catalog_elements'] } as const;
      return (await client.listDeals(query)).rows;
    },
    since,
    controls: await memory.controls(KINDS.deal, since),
    existing: async (ids) => new Set((await client.dealsByIds(ids)).keys()),
    visit: (deal) => {
      if (deal.isDeleted || deal.createdAt * 1000 < since.getTime() || listed.byId.has(deal.id)) return;
      listed.byId.set(deal.id, deal);
      const code = codeOf(deal, places);
      if (code !== undefined) listed.byCode.set(code, [...(listed.byCode.get(code) ?? []), deal]);
    },
  });
  if (distrust === undefined) return listed;
  throw new AppError({
    code: 'AMO_LIST_UNTRUSTED',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: `amoCRM's list of deals cannot be compared with: ${distrust}`,
    hint: 'The next audit tries again; nothing was judged by this one.',
  });
}

async function sidesOf(
  { mapping, settings, now, tables }: AuditContext,
  { client, memory }: AmoAccess,
  {
    orders,
    deals: listed,
    reconciledAt,
  }: { orders: readonly AuditedOrder[]; deals: ListedDeals; reconciledAt: Date | undefined },
): Promise<Sides> {
  const codes = [...new Set([...orders.map(({ code }) => code), ...listed.byCode.keys()])];
  const dealKey = (code: string) => keys.deal({ system: 'kaspi', id: code });
  const known = await tables.audits.known(
    ORDER_RECORD,
    codes.map((code) => ({ code, dealKey: dealKey(code) })),
  );
  const deals = new Map<string, AuditedDeal[]>();
  for (const code of codes) {
    // A deal that people renamed shows no code any more, but is still the one that is bound.
    const bound = listed.byId.get(known.get(code)?.dealId ?? 0);
    const all = new Set([...(listed.byCode.get(code) ?? []), ...(bound ? [bound] : [])]);
    if (all.size > 0) deals.set(code, [...all]);
  }
  const catalogId = settings.AMO_CATALOG_ID;
  return {
    orders,
    deals,
    known,
    pipelines: await memory.cached<Pipeline[]>('amocrm:pipelines', DAY_MS, () => client.listPipelines()),
    neverBack: mapping.kaspi.neverBack,
    catalogId,
    elements: catalogId === undefined ? new Map() : await elementsOf(orders, catalogId, memory),
    reconciledAt,
    now,
    quietMs: Math.max(QUIET_MS, 2.5 * settings.KASPI_RECONCILE_EVERY),
    dayOf: dayFormat(settings.TIMEZONE),
  };
}

async function elementsOf(
  orders: readonly AuditedOrder[],
  catalogId: number,
  memory: AmoMemory,
): Promise<Map<string, number>> {
  const skus = new Set(orders.flatMap(({ expected }) => (expected?.goods ?? []).map(({ sku }) => sku)));
  const bound = await memory.bound([...skus].map((sku) => keys.good(catalogId, sku)));
  return new Map(
    [...skus].flatMap((sku) => {
      const id = bound.get(keys.good(catalogId, sku));
      return id === undefined ? [] : [[sku, Number(id)] as const];
    }),
  );
}

/**
 * Lists lag behind what was written, a deal read by itself does not: every deal that a difference rests on is read so.
 * Past the bound on such reads, what was written just now is left for the next audit.
 */
async function makeSure(sides: Sides, client: AmocrmClient, places: CodePlaces): Promise<Sides> {
  const doubtful = new Map<number, string>();
  for (const { order, deals, kind } of compareSides(sides).differences) {
    if (kind === 'unbound') continue;
    for (const id of deals) doubtful.set(id, order);
  }
  const deals = new Map<string, readonly AuditedDeal[]>(sides.deals);
  const known = new Map(sides.known);
  const [read, left] = split([...doubtful], SURE_READS);
  for (const [id, code] of read) {
    const deal = (await client.dealsByIds([id], ['catalog_elements'])).get(id);
    const others = (deals.get(code) ?? []).filter((one) => one.id !== id);
    const isStill = deal && (id === known.get(code)?.dealId || codeOf(deal, places) === code);
    deals.set(code, isStill ? [...others, deal] : others);
  }
  for (const [, code] of left) {
    const one = known.get(code);
    if (one && isRecent(one, sides)) known.set(code, { ...one, underWay: true });
  }
  return { ...sides, deals, known };
}

function isRecent({ boundAt }: KnownOrder, { now }: Sides): boolean {
  return boundAt !== undefined && now.getTime() - Date.parse(boundAt) < QUIET_MS;
}

function split<T>(items: readonly T[], at: number): [T[], T[]] {
  return [items.slice(0, at), items.slice(at)];
}

/** Calendar days in the operator's zone, as `2026-05-09`. */
function dayFormat(zone: string): (at: Date) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: zone, calendar: 'gregory', dateStyle: 'short' });
  return (at) => format.format(at);
}
