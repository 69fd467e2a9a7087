import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  companyEffect,
  contactEffect,
  type DealPayload,
  type DealState,
  type DealUpdatePayload,
  dealEffect,
  dealUpdateEffect,
  keys,
} from '../../src/systems/amocrm/effects/payloads.ts';
import { type AmoScene, amoScene } from '../support/amo-scene.ts';

let scene: AmoScene;
beforeEach(async () => {
  scene = await amoScene();
});
afterEach(() => scene.close());

const SINCE = '2026-05-01T10:00:00.000Z';
const PIPELINE = 10226282;
const [NEW, TAKEN, PACKED, LEAVING] = [80953554, 80953555, 80953556, 80953560];
const NAME = 'Заказ № ТК000001281 от 27.05.2025 08:32:24';
const record = { kind: 'onec-document', key: 'Заказ 1' };
const source = (id: string) => ({ system: 'onec', id });
const common = { phoneEnum: 'WORK', since: SINCE };
const contact = (id: string, phone: string) => contactEffect(source(id), record, { name: id, phone, ...common });

function deal(payload: Partial<DealPayload> = {}, id = 'd') {
  return dealEffect(source(id), record, {
    name: NAME,
    price: 100,
    pipelineId: PIPELINE,
    statusId: NEW,
    tags: [],
    fields: {},
    externalId: 'ТК000001281',
    exactName: true,
    since: SINCE,
    ...payload,
  });
}
const dealId = async (id = 'd') => (await scene.idOf(keys.deal(source(id)))) ?? 0;
const shown = () => scene.standin.deals()[0];

describe('a deal', () => {
  test('whose stage takes none (unsorted requests) goes to the first stage, and people are told', async () => {
    const unsorted = 80953550;
    const { counts } = await scene.deliver([deal({ statusId: unsorted })]);
    expect(counts).toMatchObject({ created: 1, failed: 0 });
    expect(shown()).toMatchObject({ name: NAME, status_id: NEW, pipeline_id: PIPELINE });
    const told = await scene.database.db.selectFrom('alerts').select(['kind', 'subject']).execute();
    expect(told).toEqual([{ kind: 'mapping', subject: `amocrm:stage ${unsorted}` }]);
  });

  test('has its contacts, the main one first, and its company; two keys of one contact are one', async () => {
    const people = [contact('a', '+79130000001'), contact('b', '+79130000002'), contact('a2', '+79130000001')];
    const firm = companyEffect(source('c'), record, { name: 'ООО', ...common });
    const [a, b, a2] = people.map(({ key }) => key);
    await scene.deliver([
      ...people,
      firm,
      deal({ contactKey: b ?? '', contactKeys: [a ?? '', a2 ?? ''], companyKey: firm.key }),
    ]);
    const [main, other] = [await scene.idOf(b ?? ''), await scene.idOf(a ?? '')];
    expect(shown()).toMatchObject({ contacts: [main, other], companies: [await scene.idOf(firm.key)] });
    const parts = ['contacts', 'companies', 'catalog_elements'];
    const { rows } = await scene.parts().client.listDeals({ page: 1, with: parts });
    expect(rows[0]).toMatchObject({
      contacts: [{ id: main, isMain: true }, { id: other }],
      companyIds: [await scene.idOf(firm.key)],
      elements: [],
    });
  });

  test('goes without anybody where the source names nobody', async () => {
    await scene.deliver([deal()]);
    expect(shown()).toMatchObject({ name: NAME, contacts: [], companies: [] });
  });

  test.each([
    ['the company', { company: true }],
    ['a further contact', { company: false }],
  ])('%s that is gone is found anew, and nobody else', async (_, { company }) => {
    const people = [contact('a', '+79130000001'), contact('b', '+79130000002')];
    const firm = companyEffect(source('c'), record, { name: 'ООО', phone: '+79130000003', ...common });
    await scene.deliver([...people, firm]);
    const [a = '', b = ''] = people.map(({ key }) => key);
    const victim = (await scene.idOf(company ? firm.key : b)) ?? 0;
    scene.standin.remove(company ? { company: victim } : { contact: victim });
    await scene.deliver([deal({ contactKey: a, contactKeys: [b], companyKey: firm.key })]);
    const bound = await Promise.all([a, b, firm.key].map((key) => scene.idOf(key)));
    expect(bound.map((id) => id === undefined)).toEqual([false, !company, company]);
    scene.world.clock.advance(3_600_000);
    await scene.run();
    await scene.run();
    expect(shown()).toMatchObject({
      contacts: [await scene.idOf(a), await scene.idOf(b)],
      companies: [await scene.idOf(firm.key)],
    });
  });

  test('is found again by exactly its name among those made since', async () => {
    const before = Date.parse(SINCE) / 1000 - 86_400;
    scene.standin.add({ deals: [{ name: NAME, created_at: before }, { name: `${NAME} копия` }] });
    scene.world.amo.fault({ match: 'POST /api/v4/leads', kind: 'lost' });
    await scene.deliver([deal()]);
    expect(scene.standin.deals()).toHaveLength(3);
    expect(await dealId()).toBe(scene.standin.deals()[2]?.id);
  });

  test('is looked for by its name in a database that knows nothing', async () => {
    const { deals } = scene.standin.add({ deals: [{ name: NAME }] });
    const { requests } = await scene.deliver([deal()], true);
    expect(await dealId()).toBe(deals[0]);
    expect(requests).toEqual(['GET /leads']);
  });
});

describe('a change by a source that is the master', () => {
  const state = (changes: Partial<DealState> = {}): DealState => ({
    price: 100,
    pipelineId: PIPELINE,
    statusId: NEW,
    tags: [],
    fields: {},
    ...changes,
  });
  let revision = 0;

  /** The source goes through these states, each one delivered before the next. */
  async function goes(states: readonly DealState[], rest: Partial<DealUpdatePayload> = {}) {
    const requests: string[] = [];
    for (const [at, to] of states.entries()) {
      if (at === 0) continue;
      revision += 1;
      const ours = [states[at - 1] ?? state()];
      const payload = { to, ours, neverBack: false, afterFinal: true, sourceWins: true as const, ...rest };
      requests.push(
        ...(await scene.deliver([dealUpdateEffect(source('d'), record, revision, payload, undefined)])).requests,
      );
    }
    return requests.filter((request) => !request.startsWith('GET'));
  }

  beforeEach(() => {
    revision = 0;
  });

  test.each([PACKED, 142, 143])('a stage of a person gives way (%i), and nobody is told', async (statusId) => {
    await scene.deliver([deal()]);
    scene.standin.edit({ lead: await dealId() }, { pipeline_id: PIPELINE, status_id: statusId });
    await goes([state(), state({ statusId: TAKEN })]);
    expect(shown()?.status_id).toBe(TAKEN);
    expect(await scene.alerts()).toEqual([]);
  });

  test('what the source has not changed stays a person\u2019s', async () => {
    await scene.deliver([deal({ fields: { 900102: 'Ленина 1' } })]);
    scene.standin.edit(
      { lead: await dealId() },
      { price: 777, pipeline_id: PIPELINE, status_id: PACKED, custom_fields: { 900102: 'Мира 2', 712631: 'X' } },
    );
    const old = state({ fields: { 900102: 'Ленина 1', 712631: 'A' } });
    await goes([old, { ...old, fields: { ...old.fields, 712631: 'B' } }]);
    expect(shown()).toMatchObject({ price: 777, status_id: PACKED });
    expect(shown()?.custom_fields).toMatchObject({ 900102: 'Мира 2', 712631: 'B' });
    await goes([old, { ...old, price: 200 }]);
    expect(shown()?.price).toBe(200);
    expect(await scene.alerts()).toEqual([]);
  });

  test('A, B and A again are two changes', async () => {
    await scene.deliver([deal()]);
    const other = state({ price: 90, statusId: TAKEN, fields: { 900102: 'b' } });
    const first = state({ fields: { 900102: 'a' } });
    expect(await goes([first, other, first])).toEqual(['PATCH /leads', 'PATCH /leads']);
    expect(shown()).toMatchObject({ price: 100, status_id: NEW, custom_fields: { 900102: 'a' } });
  });

  test('a text that the source has emptied is cleared where it is ours, and left where it is a person\u2019s', async () => {
    const fields = { 900102: 'ours', 712631: 'ours too' };
    await scene.deliver([deal({ fields })]);
    scene.standin.edit({ lead: await dealId() }, { custom_fields: { 712631: 'person' } });
    await goes([state({ fields }), state({ fields: { 900102: '', 712631: '' } })]);
    expect(shown()?.custom_fields).toEqual({ 712631: 'person' });
    // An empty text that never was another one clears nothing.
    expect(await goes([state({ fields: { 712631: '' } }), state({ fields: { 712631: '' }, price: 100 })])).toEqual([]);
  });

  test('a deal in a stage that means the same is left there; otherwise it is moved', async () => {
    await scene.deliver([deal()]);
    const equalStages = [PACKED, LEAVING].map((statusId) => ({ pipelineId: PIPELINE, statusId }));
    scene.standin.edit({ lead: await dealId() }, { pipeline_id: PIPELINE, status_id: LEAVING });
    expect(await goes([state(), state({ statusId: PACKED })], { equalStages })).toEqual([]);
    scene.standin.edit({ lead: await dealId() }, { pipeline_id: PIPELINE, status_id: TAKEN });
    await goes([state(), state({ statusId: PACKED })], { equalStages });
    expect(shown()?.status_id).toBe(PACKED);
  });
});
