import type { AmoMapping } from '../config/mapping-amo.ts';
import type { KaspiMapping, KaspiStageRow, OrderConditions } from '../config/mapping-kaspi.ts';
import type { Effect, LinkState, Plan } from '../domain/effect.ts';
import { goodsOf, type Order, orderFacts } from '../domain/order.ts';
import { goodsNote, type OrderTextLocale, orderValues } from '../domain/order-text.ts';
import { renderTemplate } from '../domain/template.ts';
import type { Change } from '../runner/sink.ts';
import {
  contactEffect,
  type DealGoodsPayload,
  type DealPayload,
  type DealState,
  type DealUpdatePayload,
  dealEffect,
  dealGoodsEffect,
  dealUpdateEffect,
  type Goods,
  goodEffect,
  goodLinkEffect,
  keys,
  noteEffect,
} from '../systems/amocrm/effects/payloads.ts';

import { ORDER_RECORD } from './kaspi-orders.ts';

/** What planning an order needs beside the order. */
export interface OrderPlanOptions {
  mapping: { kaspi: KaspiMapping; amo: AmoMapping };
  pipelineId: number | undefined;
  statusId: number | undefined;
  responsibleUserId: number | undefined;
  /** Absent: goods go into the note alone. */
  catalogId: number | undefined;
  locale: OrderTextLocale;
  zone: string;
  /** A first back-fill: its notes must not set off automations. */
  backfill: boolean;
}

/** Kaspi's order as amoCRM shall hold it: contact, goods, deal, their links, a note. Pure; the keys name the order, never its state. */
export function planOrder(order: Order, options: OrderPlanOptions): Plan {
  const source = { system: 'kaspi', id: order.code };
  const record = { kind: ORDER_RECORD, key: order.code };
  const { mapping, catalogId, locale, zone } = options;
  const { customer } = order;
  const since = order.createdAt.toISOString();
  const effects: Effect[] = [
    contactEffect(source, record, {
      name: customer.name || `Kaspi ${order.code}`,
      ...(customer.firstName === undefined ? {} : { firstName: customer.firstName }),
      ...(customer.lastName === undefined ? {} : { lastName: customer.lastName }),
      ...(customer.phone === undefined ? {} : { phone: customer.phone }),
      phoneEnum: mapping.amo.contact.phoneEnum,
      ...(options.responsibleUserId === undefined ? {} : { responsibleUserId: options.responsibleUserId }),
      since,
    }),
  ];
  const goods = catalogId === undefined ? [] : goodsOf(order);
  for (const { sku, name, priceMinor } of goods) {
    effects.push(goodEffect(record, { catalogId: catalogId ?? 0, sku, name: name || sku, price: priceMinor / 100 }));
  }
  effects.push(dealEffect(source, record, dealOf(order, options)));
  for (const { sku, quantity } of goods) {
    effects.push(goodLinkEffect(source, record, { catalogId: catalogId ?? 0, sku, quantity }));
  }
  const problem = problemOf(order);
  if (mapping.kaspi.deal.note) {
    const remark = problem === undefined ? [] : [PHONE_REMARK[locale]];
    const text = [goodsNote(order, { locale, zone }), ...remark].join('\n');
    effects.push(noteEffect(source, record, 'goods', text, options.backfill));
  }
  return problem === undefined ? { record, effects, since } : { record, effects, since, problem };
}

/**
 * What has to change at amoCRM of an order whose deal stands: the deal, and its goods. Compared with what was last asked
 * for, not with what amoCRM shows: that is read right before a change is sent.
 */
export function planOrderChanges(
  order: Order,
  links: ReadonlyMap<string, LinkState>,
  options: OrderPlanOptions,
): Change[] {
  const source = { system: 'kaspi', id: order.code };
  const deal = links.get(keys.deal(source));
  const goods = links.get(keys.dealGoods(source));
  const changes = [
    deal === undefined ? undefined : planOrderChange(order, deal, options),
    goods === undefined ? undefined : planGoodsChange(order, goods, options),
  ];
  return changes.filter((change) => change !== undefined);
}

/** Undefined: nothing new. */
function planGoodsChange(order: Order, link: LinkState, options: OrderPlanOptions): Change | undefined {
  const { catalogId } = options;
  const planned = link.planned as Goods | null;
  if (catalogId === undefined || planned === null || !tellsGoods(order)) return undefined;
  const source = { system: 'kaspi', id: order.code };
  const record = { kind: ORDER_RECORD, key: order.code };
  const to = goodsQuantities(order);
  if (sameGoods(planned, to)) return undefined;
  const revision = link.revision + 1;
  // Links that were not made yet would bring the old quantities.
  const supersedes = Object.keys(planned).map((sku) => keys.goodLink(source, sku));
  const revises = { link: link.key, revision, planned: to, supersedes };
  const { underWay } = link;
  const ours = [link.applied as Goods, ...(underWay ? [(underWay.payload as DealGoodsPayload).to] : [])];
  // Goods are taken off before they are put on with another quantity: a change that broke off in between leaves none.
  if (link.interrupted) ours.push({});
  const made = goodsOf(order).map(({ sku, name, priceMinor }) =>
    goodEffect(record, { catalogId, sku, name: name || sku, price: priceMinor / 100 }),
  );
  const lines = [...new Set([...Object.keys(planned), ...Object.keys(to)])]
    .filter((sku) => (planned[sku] ?? 0) !== (to[sku] ?? 0))
    .map((sku) => `${sku}: ${planned[sku] ?? 0} → ${to[sku] ?? 0}`);
  return {
    revises,
    effect: dealGoodsEffect(source, record, revision, { catalogId, to, ours }, underWay?.key),
    extra: [...made, changeNote(source, record, `goods-${revision}`, lines, options)],
  };
}

/** An order that came without its lines, or without the article of one, does not say that they are gone. */
function tellsGoods(order: Order): boolean {
  return order.lines.length > 0 && order.lines.every(({ sku }) => sku !== undefined);
}

const GOODS_NAMES: readonly string[] = ['items', 'items.length'];

/** Fields that name the goods stay as they were asked for where the order does not tell them. */
function withKnownGoods(to: DealState, planned: DealState, order: Order, { mapping }: OrderPlanOptions): DealState {
  if (tellsGoods(order)) return to;
  const fields = { ...to.fields };
  for (const { fieldId, template } of mapping.kaspi.deal.fields) {
    if (!template.names.some((name) => GOODS_NAMES.includes(name))) continue;
    const before = planned.fields[String(fieldId)];
    if (before === undefined) delete fields[String(fieldId)];
    else fields[String(fieldId)] = before;
  }
  return { ...to, fields };
}

function goodsQuantities(order: Order): Goods {
  return Object.fromEntries(goodsOf(order).map(({ sku, quantity }) => [sku, quantity]));
}

function sameGoods(a: Goods, b: Goods): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

const CHANGE_HEAD: Record<OrderTextLocale, string> = {
  ru: 'Kaspi: заказ изменился',
  en: 'Kaspi: the order has changed',
};

function changeNote(
  source: { system: string; id: string },
  record: { kind: string; key: string },
  name: string,
  lines: readonly string[],
  { locale }: OrderPlanOptions,
): Effect {
  return noteEffect(source, record, `change-${name}`, [CHANGE_HEAD[locale], ...lines].join('\n'), false);
}

/**
 * What has to change in a deal that stands. Undefined: nothing new.
 */
export function planOrderChange(order: Order, link: LinkState, options: OrderPlanOptions): Change | undefined {
  const source = { system: 'kaspi', id: order.code };
  const record = { kind: ORDER_RECORD, key: order.code };
  const planned = link.planned as DealState | null;
  if (planned === null) return undefined;
  const to = withKnownGoods(stateOf(dealOf(order, options)), planned, order, options);
  if (sameState(planned, to)) return undefined;
  const revision = link.revision + 1;
  const applied = link.applied as DealState;
  const revises = { link: link.key, revision, planned: JSON.parse(JSON.stringify(to)) };
  // A change that is taken back is told as well, for the note of the change itself may stand there already.
  const extra = [changeNote(source, record, String(revision), changeLines(planned, to, order, options), options)];
  // The change before was never begun and is superseded; nothing is left of either.
  if (link.underWay === undefined && sameState(applied, to)) return { revises, effect: undefined, extra };
  const ours = link.underWay === undefined ? [applied] : [applied, (link.underWay.payload as DealUpdatePayload).to];
  const { stages, neverBack } = options.mapping.kaspi;
  const afterFinal = stageRow(order, stages)?.afterFinal ?? false;
  return {
    revises,
    effect: dealUpdateEffect(source, record, revision, { to, ours, neverBack, afterFinal }, link.underWay?.key),
    extra,
  };
}

const WORDS: Record<OrderTextLocale, { sum: string; state: string; tags: string; field: string }> = {
  ru: { sum: 'Сумма', state: 'Состояние', tags: 'Метки', field: 'Поле' },
  en: { sum: 'Total', state: 'State', tags: 'Tags', field: 'Field' },
};

/** What changed, for people; a field's old and new text may be personal, and stand in the deal anyway. */
function changeLines(before: DealState, to: DealState, order: Order, { locale }: OrderPlanOptions): string[] {
  const words = WORDS[locale];
  const lines = [`${words.state}: ${order.state} / ${order.status}`];
  if (before.price !== to.price) lines.push(`${words.sum}: ${before.price} → ${to.price}`);
  if ([...before.tags].sort().join() !== [...to.tags].sort().join()) {
    lines.push(`${words.tags}: ${before.tags.join(', ')} → ${to.tags.join(', ')}`);
  }
  for (const [id, text] of Object.entries(to.fields)) {
    if ((before.fields[id] ?? '') !== text) lines.push(`${words.field} ${id}: ${before.fields[id] ?? ''} → ${text}`);
  }
  return lines;
}

function stateOf({ price, pipelineId, statusId, lossReasonId, tags, fields }: DealPayload): DealState {
  return {
    price,
    tags,
    fields,
    ...(pipelineId === undefined ? {} : { pipelineId }),
    ...(statusId === undefined ? {} : { statusId }),
    ...(lossReasonId === undefined ? {} : { lossReasonId }),
  };
}

function sameState(a: DealState, b: DealState): boolean {
  const text = ({ price, pipelineId, statusId, lossReasonId, tags, fields }: DealState) =>
    JSON.stringify([
      price,
      pipelineId ?? null,
      statusId ?? null,
      lossReasonId ?? null,
      [...tags].sort(),
      Object.entries(fields).sort(),
    ]);
  return text(a) === text(b);
}

const PHONE_REMARK: Record<OrderTextLocale, string> = {
  ru: 'Телефон покупателя не распознан: его можно узнать в кабинете Kaspi.',
  en: "The buyer's phone could not be read: look it up in Kaspi's cabinet.",
};

/** The order reaches the CRM all the same; a person must look the phone up. */
function problemOf(order: Order): string | undefined {
  return order.customer.phoneProblem === 'unreadable'
    ? "the buyer's phone cannot be read; the deal is made with a contact without a phone"
    : undefined;
}

function dealOf(order: Order, options: OrderPlanOptions): DealPayload {
  const { deal } = options.mapping.kaspi;
  const values = orderValues(order, { locale: options.locale, zone: options.zone });
  const fields = Object.fromEntries(
    deal.fields.map(({ fieldId, template }) => [String(fieldId), renderTemplate(template, values)]),
  );
  if (deal.externalIdField !== undefined) fields[String(deal.externalIdField)] = order.code;
  const tags = deal.tags.map((tag) => renderTemplate(tag, values)).filter((tag) => tag !== '');
  return {
    name: renderTemplate(deal.name, values) || `Kaspi #${order.code}`,
    // amoCRM's budget is in whole units (API v4, leads).
    price: Math.round(order.totalMinor / 100),
    ...stageOf(order, options),
    ...(options.responsibleUserId === undefined ? {} : { responsibleUserId: options.responsibleUserId }),
    tags: [...new Set(tags)],
    fields,
    contactKey: keys.contact({ system: 'kaspi', id: order.code }),
    externalId: order.code,
    ...(deal.externalIdField === undefined ? {} : { externalField: deal.externalIdField }),
    ...(options.catalogId === undefined
      ? {}
      : { goods: goodsQuantities(order), goodsKey: keys.dealGoods({ system: 'kaspi', id: order.code }) }),
    since: order.createdAt.toISOString(),
  };
}

/** The first row whose conditions hold; without one, where new deals go. 142 and 143 stand in every pipeline, so a pipeline goes along. */
function stageOf(order: Order, options: OrderPlanOptions): Partial<DealPayload> {
  const row = stageRow(order, options.mapping.kaspi.stages);
  const pipelineId = row?.pipeline ?? options.pipelineId;
  const statusId = row?.status ?? options.statusId;
  return {
    ...(pipelineId === undefined ? {} : { pipelineId }),
    ...(statusId === undefined ? {} : { statusId }),
    ...(row?.lossReason === undefined ? {} : { lossReasonId: row.lossReason }),
  };
}

export function stageRow(order: Order, rows: readonly KaspiStageRow[]): KaspiStageRow | undefined {
  const facts: Record<string, string | boolean | undefined> = orderFacts(order);
  return rows.find(({ when }) => holds(when, facts));
}

function holds(when: OrderConditions, facts: Record<string, string | boolean | undefined>): boolean {
  return Object.entries(when).every(([name, accepted]: [string, readonly (string | boolean)[] | undefined]) => {
    const fact = facts[name];
    return accepted === undefined || (fact !== undefined && accepted.includes(fact));
  });
}
