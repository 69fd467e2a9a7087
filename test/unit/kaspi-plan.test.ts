import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Json } from '../../src/base/schema.ts';
import { loadMapping, type Mapping } from '../../src/config/mapping.ts';
import type { Effect, LinkState, Plan } from '../../src/domain/effect.ts';
import { type OrderPlanOptions, planOrder, planOrderChange } from '../../src/jobs/kaspi-plan.ts';
import type { Change } from '../../src/runner/sink.ts';
import type { DealState, DealUpdatePayload } from '../../src/systems/amocrm/effects/payloads.ts';
import { orderFromKaspi } from '../../src/systems/kaspi/convert.ts';
import { type Wire, wireEntry, wireOrder } from '../support/kaspi-samples.ts';

const CODE = '1019876543';
const DEAL = `amocrm:deal:kaspi:${CODE}`;
const CONTACT = `amocrm:contact:kaspi:${CODE}`;

function order(attributes: Wire = {}, entries: readonly Wire[] = [wireEntry(CODE, 0)]) {
  return orderFromKaspi(wireOrder(CODE, attributes, entries), entries);
}

function line(number: number, sku: string, more: Wire = {}): Wire {
  return wireEntry(CODE, number, {
    offer: { code: sku, name: `Товар ${sku}` },
    quantity: 1,
    basePrice: 100,
    totalPrice: 100,
    ...more,
  });
}

async function mappingOf(text: string): Promise<Mapping> {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-plan-'));
  try {
    writeFileSync(join(baseDir, 'mapping.yaml'), text);
    return await loadMapping({ baseDir });
  } finally {
    rmSync(baseDir, { recursive: true });
  }
}

async function options(text = '', more: Partial<OrderPlanOptions> = {}): Promise<OrderPlanOptions> {
  return {
    mapping: await mappingOf(text),
    pipelineId: 10,
    statusId: 20,
    responsibleUserId: 7,
    catalogId: 55,
    locale: 'ru',
    zone: 'Asia/Almaty',
    backfill: false,
    ...more,
  };
}

/** The payloads of a plan by kind, in the order of the plan. */
function payloads(plan: Plan, kind: string): Record<string, Json>[] {
  return plan.effects
    .filter((effect) => effect.kind === `amocrm.${kind}`)
    .map(({ payload }) => payload as Record<string, Json>);
}

function only(plan: Plan, kind: string): Record<string, Json> {
  const [first, ...more] = payloads(plan, kind);
  expect(more).toEqual([]);
  return first ?? {};
}

describe('the plan of a new order', () => {
  test('a plain order: contact, goods, deal, link and note, each needing the ones before it', async () => {
    const plan = planOrder(order(), await options('kaspi: { deal: { fields: { 31: "{totalPrice}" } } }'));
    expect(plan.record).toEqual({ kind: 'kaspi-order', key: CODE });
    expect(plan.problem).toBeUndefined();
    expect(plan.effects.map(({ key, kind, needs }) => ({ key, kind, needs }))).toEqual([
      { key: CONTACT, kind: 'amocrm.contact', needs: [] },
      { key: 'amocrm:good:55:KETTLE-17-W', kind: 'amocrm.good', needs: [] },
      { key: DEAL, kind: 'amocrm.deal', needs: [CONTACT] },
      {
        key: `amocrm:good-link:kaspi:${CODE}:KETTLE-17-W`,
        kind: 'amocrm.good-link',
        needs: [DEAL, 'amocrm:good:55:KETTLE-17-W'],
      },
      { key: `amocrm:note:kaspi:${CODE}:goods`, kind: 'amocrm.note', needs: [DEAL] },
    ]);
    const since = '2026-09-14T05:03:41.000Z';
    expect(only(plan, 'contact')).toEqual({
      name: 'Айгерим Сатова',
      firstName: 'Айгерим',
      lastName: 'Сатова',
      phone: '+77011234567',
      phoneEnum: 'WORK',
      responsibleUserId: 7,
      since,
    });
    expect(only(plan, 'good')).toEqual({
      catalogId: 55,
      sku: 'KETTLE-17-W',
      name: 'Чайник Polar K17 белый',
      price: 7990,
    });
    expect(only(plan, 'deal')).toEqual({
      goods: { 'KETTLE-17-W': 2 },
      goodsKey: `amocrm:deal-goods:kaspi:${CODE}`,
      name: `Kaspi #${CODE}`,
      price: 15980,
      pipelineId: 10,
      statusId: 20,
      responsibleUserId: 7,
      tags: ['Kaspi', 'KASPI_DELIVERY'],
      fields: { 31: '15980' },
      contactKey: CONTACT,
      externalId: CODE,
      since,
    });
    expect(only(plan, 'good-link')).toMatchObject({ catalogId: 55, quantity: 2 });
    const { text, marker, triggersPipeline } = only(plan, 'note');
    expect(text).toContain('Чайник Polar K17 белый, KETTLE-17-W: 2 ×');
    expect(String(text).endsWith(`\n\n${marker}`)).toBe(true);
    expect(triggersPipeline).toBe(true);
  });

  test('several lines of one article become one good and one link with their sum', async () => {
    const entries = [line(0, 'A', { quantity: 2, totalPrice: 200 }), line(1, 'B'), line(2, 'A')];
    const plan = planOrder(order({}, entries), await options());
    expect(payloads(plan, 'good').map(({ sku }) => sku)).toEqual(['A', 'B']);
    expect(payloads(plan, 'good-link').map(({ quantity }) => quantity)).toEqual([3, 1]);
  });

  test('weighed goods are linked in kilograms', async () => {
    const meat = line(0, 'MEAT', {
      quantity: 3,
      basePrice: 1560,
      weight: 3800,
      unitType: 'MEASURABLE',
      totalPrice: 5928,
    });
    const plan = planOrder(order({}, [meat]), await options());
    expect(only(plan, 'good-link').quantity).toBe(3.8);
    expect(only(plan, 'good').price).toBe(1560);
  });

  test('an order of 120 lines keeps every article, once', async () => {
    const entries = Array.from({ length: 120 }, (_, number) => line(number, `SKU-${number}`));
    const plan = planOrder(order({}, entries), await options());
    expect(payloads(plan, 'good')).toHaveLength(120);
    expect(payloads(plan, 'good-link')).toHaveLength(120);
    expect(new Set(plan.effects.map(({ key }) => key)).size).toBe(120 * 2 + 3);
    expect(only(plan, 'note').text).toContain('120. Товар SKU-119');
  });

  test.each<[string, Wire, Record<string, Json>, string | undefined]>([
    ['no last name', { lastName: null }, { name: 'Айгерим', firstName: 'Айгерим', phone: '+77011234567' }, undefined],
    ['no phone', { cellPhone: null }, { name: 'Айгерим Сатова' }, undefined],
    ['a masked phone', { cellPhone: '+0(000)-000-00-00' }, { name: 'Айгерим Сатова' }, undefined],
    ['an unreadable phone', { cellPhone: '70112' }, { name: 'Айгерим Сатова' }, 'phone cannot be read'],
    [
      'no name at all',
      { name: null, firstName: null, lastName: null, cellPhone: null },
      { name: `Kaspi ${CODE}` },
      undefined,
    ],
  ])('a buyer with %s still gets a contact', async (_, customer, wanted, problem) => {
    const given = { name: 'Айгерим', firstName: 'Айгерим', lastName: 'Сатова', cellPhone: '7011234567', ...customer };
    const plan = planOrder(order({ customer: given }), await options());
    const { phoneEnum: _enum, since: _since, responsibleUserId: _user, ...contact } = only(plan, 'contact');
    expect(contact).toMatchObject(wanted);
    expect(contact.phone).toBe(wanted.phone);
    if (customer.lastName === null) expect(contact).not.toHaveProperty('lastName');
    if (problem === undefined) expect(plan.problem).toBeUndefined();
    else {
      expect(plan.problem).toContain(problem);
      expect(only(plan, 'note').text).toContain('Телефон покупателя не распознан');
    }
    expect(JSON.stringify(plan.problem ?? '')).not.toContain('70112');
  });

  test('an order without an address leaves the field empty and the rest as it is', async () => {
    const text = 'kaspi: { deal: { fields: { 31: "{deliveryAddress.formattedAddress}" } } }';
    const plan = planOrder(order({ deliveryAddress: null }), await options(text));
    expect(only(plan, 'deal').fields).toEqual({ 31: '' });
  });

  test('without a catalog the goods stand in the note alone', async () => {
    const plan = planOrder(order(), await options('', { catalogId: undefined }));
    expect(plan.effects.map(({ kind }) => kind)).toEqual(['amocrm.contact', 'amocrm.deal', 'amocrm.note']);
    expect(only(plan, 'note').text).toContain('KETTLE-17-W');
  });

  test('a back-fill is quiet, and a mapping without notes makes none', async () => {
    expect(only(planOrder(order(), await options('', { backfill: true })), 'note').triggersPipeline).toBe(false);
    const without = planOrder(order(), await options('kaspi: { deal: { note: false } }'));
    expect(payloads(without, 'note')).toEqual([]);
  });

  test('tags that render to nothing are left out, equal ones stand once', async () => {
    const text = 'kaspi: { deal: { tags: ["Kaspi", "{cancellationReason}", "{customer.phone}", "Kaspi", "{state}"] } }';
    const bare = order({ customer: { firstName: 'А', lastName: null, cellPhone: null } });
    expect(only(planOrder(bare, await options(text)), 'deal').tags).toEqual(['Kaspi', 'KASPI_DELIVERY']);
  });

  test('`external_id_field` holds the code alone, also where `fields` does not name it', async () => {
    const text = 'kaspi: { deal: { name: "Заказ", external_id_field: 31, fields: { 32: "№ {code}" } } }';
    expect(only(planOrder(order(), await options(text)), 'deal')).toMatchObject({
      name: 'Заказ',
      externalId: CODE,
      externalField: 31,
      fields: { 31: CODE, 32: `№ ${CODE}` },
    });
  });
});

describe('stages', () => {
  const STAGES = `kaspi:
  stages:
    - { when: { status: [CANCELLED, RETURNED] }, status: 143, loss_reason: 4203748 }
    - { when: { state: KASPI_DELIVERY, assembled: true }, status: 60, pipeline: 11 }
    - { when: { state: [KASPI_DELIVERY, PICKUP] }, status: 50 }
    - { when: { isKaspiDelivery: false, deliveryMode: DELIVERY_LOCAL }, status: 40 }
`;

  test.each<[string, Wire, Record<string, number>]>([
    ['the first row that holds wins', { assembled: true }, { statusId: 60, pipelineId: 11 }],
    ['a later row takes what the first ones leave', { assembled: false }, { statusId: 50, pipelineId: 10 }],
    ['a list of values holds for each of them', { state: 'PICKUP' }, { statusId: 50, pipelineId: 10 }],
    [
      'a row with a loss reason goes before one that holds as well',
      { status: 'CANCELLED', assembled: true },
      { statusId: 143, pipelineId: 10, lossReasonId: 4203748 },
    ],
    [
      'every condition of a row must hold',
      { state: 'DELIVERY', isKaspiDelivery: false, deliveryMode: 'DELIVERY_LOCAL' },
      { statusId: 40, pipelineId: 10 },
    ],
    [
      'no row: where new deals go',
      { state: 'DELIVERY', isKaspiDelivery: true, deliveryMode: 'DELIVERY_LOCAL' },
      { statusId: 20, pipelineId: 10 },
    ],
    [
      'a fact that is absent meets no condition',
      { state: 'NEW', deliveryMode: null },
      { statusId: 20, pipelineId: 10 },
    ],
  ])('%s', async (_, attributes, wanted) => {
    const { statusId, pipelineId, lossReasonId } = only(planOrder(order(attributes), await options(STAGES)), 'deal');
    expect(JSON.parse(JSON.stringify({ statusId, pipelineId, lossReasonId }))).toEqual(wanted);
  });

  test('without a pipeline in the settings none is sent', async () => {
    const bare = await options('', { pipelineId: undefined, statusId: undefined, responsibleUserId: undefined });
    const deal = only(planOrder(order(), bare), 'deal');
    for (const name of ['pipelineId', 'statusId', 'responsibleUserId']) expect(deal).not.toHaveProperty(name);
  });
});

describe('laws of planning', () => {
  const states = fc.constantFrom('NEW', 'SIGN_REQUIRED', 'PICKUP', 'DELIVERY', 'KASPI_DELIVERY', 'ARCHIVE');
  const statuses = fc.constantFrom('APPROVED_BY_BANK', 'ACCEPTED_BY_MERCHANT', 'COMPLETED', 'CANCELLED', 'SOMETHING');
  const moment = fc.record({
    state: states,
    status: statuses,
    assembled: fc.boolean(),
    totalPrice: fc.integer({ min: 1, max: 10_000_000 }),
  });
  const skus = fc.array(fc.constantFrom('A', 'B', 'C', 'Д:1'), { minLength: 1, maxLength: 12 });
  const entriesOf = (some: readonly string[]) => some.map((sku, number) => line(number, sku));

  test('the keys of creates name the order and its goods, never its state, its sum or what job plans it', async () => {
    const poll = await options('', { backfill: true });
    const reconcile = await options('kaspi: { stages: [{ when: { state: PICKUP }, status: 50 }] }');
    fc.assert(
      fc.property(moment, moment, skus, (before, after, some) => {
        const keysOf = (plan: Plan) => plan.effects.map(({ key }) => key);
        const first = planOrder(order(before, entriesOf(some)), poll);
        const second = planOrder(order(after, entriesOf(some)), reconcile);
        expect(keysOf(second)).toEqual(keysOf(first));
        expect(new Set(keysOf(first)).size).toBe(first.effects.length);
        for (const key of keysOf(first)) expect(key).not.toMatch(/NEW|ARCHIVE|COMPLETED|poll|reconcile|undefined/);
      }),
    );
  });

  test('the same order gives the same plan, and every need is met by an effect before it', async () => {
    const given = await options();
    fc.assert(
      fc.property(moment, skus, (attributes, some) => {
        const plan = planOrder(order(attributes, entriesOf(some)), given);
        expect(planOrder(order(attributes, entriesOf(some)), given)).toEqual(plan);
        const before = new Set<string>();
        for (const { key, needs } of plan.effects) {
          expect(needs.filter((need) => !before.has(need))).toEqual([]);
          before.add(key);
        }
      }),
    );
  });
});

describe('changes of a deal that stands', () => {
  const plain = (price: number) => order({ totalPrice: price });

  /** The link as it stands after the deal was made, and as each change leaves it. */
  function linkOf(plan: Plan): LinkState {
    const { price, pipelineId, statusId, tags, fields } = only(plan, 'deal');
    const applied = JSON.parse(JSON.stringify({ price, pipelineId, statusId, tags, fields })) as Json;
    return { key: DEAL, remoteId: '1', applied, planned: applied, revision: 0 };
  }
  const taken = (link: LinkState, { revises }: Change): LinkState => ({
    ...link,
    planned: revises.planned,
    revision: revises.revision,
  });
  const delivered = (link: LinkState): LinkState => ({ ...link, applied: link.planned });

  function effectOf(change: Change | undefined): Effect {
    if (change?.effect === undefined) throw new Error('a change with an effect was expected');
    return change.effect;
  }
  const payloadOf = (change: Change | undefined) => effectOf(change).payload as unknown as DealUpdatePayload;

  test('nothing new: nothing is planned', async () => {
    const given = await options('kaspi: { deal: { fields: { 31: "{totalPrice}" } } }');
    expect(planOrderChange(plain(100), linkOf(planOrder(plain(100), given)), given)).toBeUndefined();
  });

  test('a deal that another program bound, whose content was never ours, is left alone', async () => {
    const given = await options();
    const unknown: LinkState = { key: DEAL, remoteId: '1', applied: null, planned: null, revision: 0 };
    expect(planOrderChange(plain(90), unknown, given)).toBeUndefined();
  });

  test('A → B → A, each delivered, are three updates whose revisions rise', async () => {
    const given = await options();
    let link = linkOf(planOrder(plain(100), given));
    const keys: string[] = [];
    const prices: number[] = [];
    for (const price of [90, 100, 90]) {
      const change = planOrderChange(plain(price), link, given);
      keys.push(effectOf(change).key);
      prices.push(payloadOf(change).to.price);
      expect(payloadOf(change).ours.map((state) => state.price)).toEqual([(link.applied as DealState).price]);
      if (change) link = delivered(taken(link, change));
    }
    expect(keys).toEqual([`${DEAL}#1`, `${DEAL}#2`, `${DEAL}#3`]);
    expect(prices).toEqual([90, 100, 90]);
  });

  test('an update that was not begun is superseded by the newer one', async () => {
    const given = await options();
    const link = linkOf(planOrder(plain(100), given));
    const first = planOrderChange(plain(90), link, given);
    const second = first && planOrderChange(plain(80), taken(link, first), given);
    expect(effectOf(second)).toMatchObject({ key: `${DEAL}#2`, needs: [DEAL], revises: { revision: 2 } });
    expect(payloadOf(second).ours.map((state) => state.price)).toEqual([100]);
  });

  test('an update that was not begun is withdrawn where the order went back', async () => {
    const given = await options();
    const link = linkOf(planOrder(plain(100), given));
    const first = planOrderChange(plain(90), link, given);
    const back = first && planOrderChange(plain(100), taken(link, first), given);
    expect(back).toMatchObject({ effect: undefined, revises: { link: DEAL, revision: 2, planned: { price: 100 } } });
  });

  test('an update under way is waited for: going back is a change of its own, and both prices are ours', async () => {
    const given = await options();
    const link = linkOf(planOrder(plain(100), given));
    const first = planOrderChange(plain(90), link, given);
    if (!first) throw new Error('a change was expected');
    const underWay = { key: effectOf(first).key, payload: effectOf(first).payload };
    const back = planOrderChange(plain(100), { ...taken(link, first), underWay }, given);
    expect(effectOf(back).needs).toEqual([DEAL, `${DEAL}#1`]);
    expect(payloadOf(back)).toMatchObject({ to: { price: 100 }, ours: [{ price: 100 }, { price: 90 }] });
  });

  test('an older update under way is waited for although a newer one was never begun', async () => {
    const given = await options();
    const link = linkOf(planOrder(plain(100), given));
    const first = planOrderChange(plain(90), link, given);
    if (!first) throw new Error('a change was expected');
    const underWay = { key: effectOf(first).key, payload: effectOf(first).payload };
    const second = planOrderChange(plain(80), { ...taken(link, first), underWay }, given);
    if (!second) throw new Error('a change was expected');
    const third = planOrderChange(plain(100), { ...taken(taken(link, first), second), underWay }, given);
    expect(effectOf(third)).toMatchObject({ key: `${DEAL}#3`, needs: [DEAL, `${DEAL}#1`] });
    expect(payloadOf(third).ours.map((state) => state.price)).toEqual([100, 90]);
  });

  test('the row of the mapping says whether a stage may leave 142 and 143', async () => {
    const given = await options(
      'kaspi: { never_back: false, stages: [{ when: { status: RETURNED }, status: 143, after_final: true }] }',
    );
    const link = linkOf(planOrder(plain(100), given));
    const returned = planOrderChange(order({ totalPrice: 100, status: 'RETURNED' }), link, given);
    expect(payloadOf(returned)).toMatchObject({ to: { statusId: 143 }, neverBack: false, afterFinal: true });
    expect(payloadOf(planOrderChange(plain(90), link, given))).toMatchObject({ afterFinal: false });
  });

  test('law: whatever comes, revisions rise by one, keys never repeat, and the last wish is the last order', async () => {
    const given = await options();
    const step = fc.record({ price: fc.constantFrom(100, 90, 80), done: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        let link = linkOf(planOrder(plain(100), given));
        const keys = new Set<string>();
        for (const { price, done } of steps) {
          const change = planOrderChange(plain(price), link, given);
          if (change) {
            expect(change.revises.revision).toBe(link.revision + 1);
            if (change.effect) {
              expect(keys.has(change.effect.key)).toBe(false);
              keys.add(change.effect.key);
            }
            link = taken(link, change);
          }
          expect(link.planned).toMatchObject({ price });
          if (done) link = delivered(link);
        }
      }),
    );
  });
});
