import {
  type Audit,
  DIFFERENCE_KINDS,
  type Difference,
  type DifferenceKind,
  type KnownOrder,
} from '../domain/audit.ts';
import type { Deal, Pipeline } from '../systems/amocrm/schema.ts';

/** An order as the audit sees it. */
export interface AuditedOrder {
  code: string;
  createdAt: Date;
  /** The day in TIMEZONE. */
  day: string;
  /** Its state is one that makes deals. */
  concerned: boolean;
  /** What its deal should show; absent where the record cannot be read. */
  expected?: Expected;
}

export interface Expected {
  state: string;
  status: string;
  totalMinor: number;
  /** Whole units, as amoCRM's budget. */
  price: number;
  stage: ExpectedStage | undefined;
  /** Absent where goods are not kept, or where the list came without them. */
  goods: readonly { sku: string; quantity: number }[] | undefined;
}

export interface ExpectedStage {
  pipelineId: number | undefined;
  statusId: number;
  /** A row of the mapping asks for it; else it is where new deals go. */
  mapped: boolean;
  afterFinal: boolean;
}

export type AuditedDeal = Pick<Deal, 'id' | 'createdAt' | 'price' | 'pipelineId' | 'statusId' | 'elements'>;

export interface Sides {
  orders: readonly AuditedOrder[];
  /** By order code; whoever is bound to a code counts, too. */
  deals: ReadonlyMap<string, readonly AuditedDeal[]>;
  known: ReadonlyMap<string, KnownOrder>;
  pipelines: readonly Pick<Pipeline, 'id' | 'statuses'>[];
  neverBack: boolean;
  catalogId: number | undefined;
  /** Article → element of the catalog, as far as they are bound. */
  elements: ReadonlyMap<string, number>;
  /** The last good pass that compares orders with deals. */
  reconciledAt: Date | undefined;
  now: Date;
  /** A change younger than this may still be on its way. */
  quietMs: number;
  dayOf: (at: Date) => string;
}

export type Verdict = Pick<Audit, 'differences' | 'on_its_way' | 'orphans' | 'days' | 'counts'>;

/** Kaspi documents no delay; orders were seen to enter its list minutes late, and a pass needs its time. */
const NEW_ORDER_MS = 15 * 60_000;
/** Won and lost; they stand in every pipeline with these ids (API v2 documents, leads). */
const FINAL: readonly number[] = [142, 143];

/** Both sides as sets, compared. Pure. */
export function compareSides(sides: Sides): Verdict {
  const differences: Difference[] = [];
  const onItsWay: string[] = [];
  const tally = new Map<string, { kaspi: number; amocrm: number }>();
  const listed = new Set(sides.orders.map(({ code }) => code));
  for (const order of sides.orders) {
    const known = sides.known.get(order.code);
    const deals = sides.deals.get(order.code) ?? [];
    if (order.concerned || known?.dealId !== undefined || deals.length > 0) {
      const day = tally.get(order.day) ?? { kaspi: 0, amocrm: 0 };
      tally.set(order.day, { kaspi: day.kaspi + 1, amocrm: day.amocrm + deals.length });
    }
    if (known?.setAside) continue;
    const found = differencesOf(order, deals, known, sides);
    const sure = found.filter(({ kind }) => kind === 'doubled' || !isOnItsWay(kind, order, known, sides));
    if (sure.length < found.length) onItsWay.push(order.code);
    differences.push(...sure);
  }
  const orphans: Verdict['orphans'] = [];
  for (const [code, deals] of sides.deals) {
    if (listed.has(code)) continue;
    orphans.push(...deals.map(({ id }) => ({ order: code, deal: id })));
    if (deals.length > 1 && !sides.known.get(code)?.setAside) differences.push(doubledOrphan(code, deals, sides));
  }
  differences.sort((a, b) => rank(a.kind) - rank(b.kind) || compareText(a.at, b.at) || compareText(a.order, b.order));
  return {
    differences,
    on_its_way: onItsWay,
    orphans,
    counts: countsOf(differences),
    days: daysOf(tally, differences),
  };
}

function differencesOf(
  order: AuditedOrder,
  deals: readonly AuditedDeal[],
  known: KnownOrder | undefined,
  sides: Sides,
): Difference[] {
  const difference = (kind: DifferenceKind, rest: Partial<Difference> = {}): Difference => {
    const ids = deals.map(({ id }) => id).sort((a, b) => a - b);
    return { kind, order: order.code, at: order.createdAt.toISOString(), day: order.day, deals: ids, ...rest };
  };
  const bound = known?.dealId;
  if (deals.length === 0) {
    if (bound !== undefined) return [difference('deal_gone', { deals: [bound] })];
    return order.concerned ? [difference('lost')] : [];
  }
  const found: Difference[] = [];
  if (deals.length > 1) found.push(difference('doubled'));
  const own = bound === undefined ? undefined : deals.find(({ id }) => id === bound);
  if (bound !== undefined && !own) found.push(difference('deal_gone', { deals: [bound] }));
  if (bound === undefined && !known?.planned && order.concerned) found.push(difference('unbound'));
  // Where nothing is bound, another integrator's deal must not be measured by our mapping.
  if (!own || !order.expected) return found;
  const one = (kind: DifferenceKind, rest: Partial<Difference>) => difference(kind, { deals: [own.id], ...rest });
  const { price, stage, goods } = order.expected;
  if (own.price !== price && !known?.conflicts.includes('the budget')) {
    found.push(one('wrong_sum', { found: own.price, expected: price }));
  }
  if (stage && !known?.conflicts.includes('the stage') && !stageHolds(own, stage, sides)) {
    const pipeline = stage.pipelineId ?? own.pipelineId;
    const text = { found: `${own.pipelineId}/${own.statusId}`, expected: `${pipeline}/${stage.statusId}` };
    found.push(one('wrong_stage', text));
  }
  const missing = known?.adopted ? [] : missingGoods(own, goods ?? [], known, sides);
  if (missing.length > 0) {
    const text = (side: 'found' | 'expected') => missing.map((line) => `${line.sku} × ${line[side]}`).join(', ');
    found.push(one('missing_goods', { found: text('found'), expected: text('expected') }));
  }
  return found;
}

/** The stage that is asked for, or one to which people may have moved the deal on. */
function stageHolds(deal: AuditedDeal, stage: ExpectedStage, { neverBack, pipelines }: Sides): boolean {
  const { statusId, pipelineId = deal.pipelineId, mapped, afterFinal } = stage;
  if (deal.statusId === statusId && deal.pipelineId === pipelineId) return true;
  if (FINAL.includes(deal.statusId)) return !afterFinal && (neverBack || !mapped);
  if (FINAL.includes(statusId)) return false;
  // Where no row asks for a stage, only a deal that stands before the place of new deals is out of order.
  if (deal.pipelineId !== pipelineId) return !mapped;
  if (afterFinal || (mapped && !neverBack)) return false;
  const statuses = pipelines.find(({ id }) => id === pipelineId)?.statuses ?? [];
  const place = (id: number) => statuses.find((status) => status.id === id)?.sort ?? 0;
  return place(deal.statusId) > place(statusId);
}

function missingGoods(
  deal: AuditedDeal,
  goods: readonly { sku: string; quantity: number }[],
  known: KnownOrder | undefined,
  { catalogId, elements }: Sides,
): { sku: string; found: number; expected: number }[] {
  const linked = deal.elements.filter((element) => element.catalogId === catalogId);
  const unbound = goods.filter(({ sku }) => !elements.has(sku));
  // Without knowing which element an article is, only their number can tell.
  const enough = unbound.length > 0 && linked.length >= goods.length;
  return goods.flatMap(({ sku, quantity }) => {
    if (known?.conflicts.includes(`goods ${sku}`)) return [];
    const id = elements.get(sku);
    if (id === undefined) return enough ? [] : [{ sku, found: 0, expected: quantity }];
    const found = linked.filter((one) => one.elementId === id).reduce((sum, one) => sum + one.quantity, 0);
    // Weighed goods have three decimals; a float on the way must not look like a change.
    return Math.abs(found - quantity) < 0.0005 ? [] : [{ sku, found, expected: quantity }];
  });
}

function isOnItsWay(kind: DifferenceKind, order: AuditedOrder, known: KnownOrder | undefined, sides: Sides): boolean {
  if (known?.underWay) return true;
  if (kind === 'deal_gone') return false;
  if (kind === 'lost' || kind === 'unbound') return sides.now.getTime() - order.createdAt.getTime() < NEW_ORDER_MS;
  return order.expected !== undefined && changedJustNow(order.expected, known, sides);
}

/** Whether Kaspi's order changed after the last pass that would have seen to it, and only a while ago. */
function changedJustNow(expected: Expected, known: KnownOrder | undefined, sides: Sides): boolean {
  const { now, quietMs, reconciledAt } = sides;
  const isRecent = (at: Date | undefined) => at !== undefined && now.getTime() - at.getTime() < quietMs;
  const seen = known?.seen;
  if (!seen) return false;
  const { state, status, totalMinor } = expected;
  // It changed after it was last read; how long ago is known only from the pass that read it.
  if (seen.state !== state || seen.status !== status || seen.totalMinor !== totalMinor) return isRecent(reconciledAt);
  if (seen.changedAt === undefined) return false;
  const changedAt = new Date(seen.changedAt);
  return isRecent(changedAt) && (reconciledAt === undefined || reconciledAt < changedAt);
}

function doubledOrphan(code: string, deals: readonly AuditedDeal[], { now, dayOf }: Sides): Difference {
  // A deal of unknown age counts as new.
  const at = new Date(Math.min(now.getTime(), ...deals.map(({ createdAt }) => createdAt * 1000)));
  const ids = deals.map(({ id }) => id).sort((a, b) => a - b);
  return { kind: 'doubled', order: code, at: at.toISOString(), day: dayOf(at), deals: ids };
}

function countsOf(differences: readonly Difference[]): Audit['counts'] {
  const counts: Audit['counts'] = {};
  for (const { kind } of differences) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

function daysOf(
  tally: ReadonlyMap<string, { kaspi: number; amocrm: number }>,
  differences: readonly Difference[],
): Audit['days'] {
  const days = [...new Set([...tally.keys(), ...differences.map(({ day }) => day)])].sort();
  return days.map((day) => ({
    day,
    ...(tally.get(day) ?? { kaspi: 0, amocrm: 0 }),
    differences: differences.filter((one) => one.day === day).length,
  }));
}

function rank(kind: DifferenceKind): number {
  return DIFFERENCE_KINDS.indexOf(kind);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** So many ids fit into a message that is read on a telephone. */
const IDS = 20;

const WORDS: Record<'ru' | 'en', Record<DifferenceKind, string>> = {
  ru: {
    lost: 'Заказы Kaspi без сделки в amoCRM',
    doubled: 'Заказы Kaspi с двумя и более сделками',
    deal_gone: 'Сделки заказов Kaspi исчезли из amoCRM',
    unbound: 'Сделки заказов Kaspi, о которых sdelka не знает',
    wrong_sum: 'Бюджет сделки не равен сумме заказа Kaspi',
    wrong_stage: 'Этап сделки не соответствует заказу Kaspi',
    missing_goods: 'В сделке не те товары, что в заказе Kaspi',
  },
  en: {
    lost: 'Kaspi orders without a deal in amoCRM',
    doubled: 'Kaspi orders with two deals or more',
    deal_gone: 'Deals of Kaspi orders are gone from amoCRM',
    unbound: 'Deals of Kaspi orders that sdelka knows nothing of',
    wrong_sum: "The deal's budget is not the sum of its Kaspi order",
    wrong_stage: "The deal's stage does not fit its Kaspi order",
    missing_goods: "The deal's goods are not those of its Kaspi order",
  },
};

/** The text of the alert of each kind that was found. */
export function auditMessages(differences: readonly Difference[], locale: 'ru' | 'en'): Map<DifferenceKind, string> {
  const messages = new Map<DifferenceKind, string>();
  for (const kind of DIFFERENCE_KINDS) {
    const codes = differences.filter((one) => one.kind === kind).map(({ order }) => order);
    if (codes.length === 0) continue;
    const more = codes.length > IDS ? ` … +${codes.length - IDS}` : '';
    messages.set(kind, `${WORDS[locale][kind]}: ${codes.length} (${codes.slice(0, IDS).join(', ')}${more})`);
  }
  return messages;
}
