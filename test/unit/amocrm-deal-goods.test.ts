import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  dealEffect,
  dealGoodsEffect,
  type GoodPayload,
  type Goods,
  goodEffect,
  goodLinkEffect,
  keys,
} from '../../src/systems/amocrm/effects/payloads.ts';
import { type AmoScene, amoScene } from '../support/amo-scene.ts';

let scene: AmoScene;
beforeEach(async () => {
  scene = await amoScene();
});
afterEach(() => scene.close());

const CATALOG = 5501;
const record = { kind: 'onec-doc', key: 'd' };
const source = { system: 'onec', id: 'd' };
const DEAL = keys.deal(source);
const GOODS = keys.dealGoods(source);

function deal(goods: Goods) {
  const state = { price: 100, pipelineId: 10226282, statusId: 80953554, tags: [], fields: {} };
  const name = { name: 'Заказ № 1', externalId: '1', exactName: true as const, since: '2026-05-01T10:00:00.000Z' };
  return dealEffect(source, record, { ...state, ...name, goods, goodsKey: GOODS });
}

const good = (identity: string, more: Partial<GoodPayload> = {}) =>
  goodEffect(record, { catalogId: CATALOG, sku: identity, name: identity, identity, ...more });

const links = (goods: Goods) =>
  Object.entries(goods).map(([sku, quantity]) => goodLinkEffect(source, record, { catalogId: CATALOG, sku, quantity }));

function change(revision: number, to: Goods, ours: Goods) {
  const effect = dealGoodsEffect(source, record, revision, { catalogId: CATALOG, to, ours: [ours] }, undefined);
  return { ...effect, revises: { link: GOODS, revision, planned: to } };
}

/** Element → quantity on the deal. */
async function onDeal(): Promise<Record<string, number>> {
  const id = (await scene.idOf(DEAL)) ?? 0;
  const found: Record<string, number> = {};
  for (const { elementId, quantity } of (await scene.parts().client.linksOfDeals([id])).get(id) ?? []) {
    found[elementId] = (found[elementId] ?? 0) + quantity;
  }
  return found;
}

describe('two goods that one element stands for', () => {
  const [A, B] = ['MJ1009|MANDO', 'MJ1009|MILES'];
  /** A catalog without a column for the maker knows one element of this article. */
  const both = [A, B].map((identity, at) =>
    good(identity, { match: 'sku+maker', sku: 'MJ1009', maker: ['MANDO', 'MILES'][at] ?? '' }),
  );
  let element: number;
  beforeEach(() => {
    element = scene.standin.add({ elements: [{ name: 'Фильтр', sku: 'MJ1009' }] }).elements[0] ?? 0;
  });

  test('are put on a new deal together', async () => {
    await scene.deliver([...both, deal({ [A]: 1, [B]: 2 }), ...links({ [A]: 1, [B]: 2 })]);
    expect(await onDeal()).toEqual({ [element]: 3 });
  });

  test('are changed and taken off together, and nobody is told of a conflict', async () => {
    await scene.deliver([...both, deal({ [A]: 1, [B]: 2 }), ...links({ [A]: 1, [B]: 2 })]);
    await scene.deliver([change(1, { [A]: 4, [B]: 2 }, { [A]: 1, [B]: 2 })]);
    expect(await onDeal()).toEqual({ [element]: 6 });
    await scene.deliver([change(2, { [B]: 2 }, { [A]: 4, [B]: 2 })]);
    expect(await onDeal()).toEqual({ [element]: 2 });
    await scene.deliver([change(3, {}, { [B]: 2 })]);
    expect([await onDeal(), await scene.alerts()]).toEqual([{}, []]);
  });
});

describe('goods that are not to be made and that the catalog lacks', () => {
  const lacking = good('B', { mustExist: true });
  const missing = { catalogId: CATALOG, mayLack: true as const };

  test('do not hold up the others, and get onto the deal once they are there', async () => {
    await scene.deliver([good('A'), deal({ A: 1 }), ...links({ A: 1 })]);
    const [a] = scene.standin.elements(CATALOG).map(({ id }) => id);
    const payload = { ...missing, to: { A: 3, B: 2 }, ours: [{ A: 1 }] };
    const first = dealGoodsEffect(source, record, 1, payload, undefined);
    const { counts } = await scene.deliver([
      lacking,
      { ...first, revises: { link: GOODS, revision: 1, planned: payload.to } },
    ]);
    expect([await onDeal(), counts.failed]).toEqual([{ [String(a)]: 3 }, 1]);
    expect(await scene.linkOf(GOODS)).toMatchObject({ applied: { A: 3 }, planned: { A: 3, B: 2 } });
    scene.standin.add({ elements: [{ name: 'B', sku: 'B' }] });
    await scene.world.clock.sleep(120_000);
    const again = { ...missing, to: { A: 3, B: 2 }, ours: [{ A: 3 }] };
    const second = dealGoodsEffect(source, record, 2, again, undefined);
    await scene.deliver([good('B'), { ...second, revises: { link: GOODS, revision: 2, planned: again.to } }]);
    expect(Object.values(await onDeal()).sort()).toEqual([2, 3]);
  });
});
