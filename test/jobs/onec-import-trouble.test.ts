import { describe, expect, test } from 'vitest';
import { open } from '../support/cut-loop.ts';
import {
  CUSTOMER_ORDER,
  clearJournals,
  dealIdOf,
  EXPORT,
  IMPORT,
  newDeals,
  newDocuments,
  ONEC_MAPPING,
  STAGES,
  type StreamOptions,
  WORK_ORDER,
  writesOf,
} from '../support/onec-stream.ts';
import type { World } from '../support/world.ts';

const REQUEST = 'Document_ЗаявкаНаРемонт';
const SUMMARY = 'Document_СводныйРемонтныйЗаказ';
const CLIENTS = 'Catalog_Контрагенты';
const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';
const ODATA = '/odata/standard.odata';
const MINUTES = 60_000;
const DAY = 24 * 60 * MINUTES;

/** What a handler of 1C says, in 1C's own shape. */
const said = (value: string) => JSON.stringify({ 'odata.error': { code: '-1', message: { lang: 'ru', value } } });
const REFUSAL = { kind: 'status', status: 500, body: said('Поле "Цех" не заполнено') } as const;

async function account(options: StreamOptions = {}): Promise<World> {
  const scene = newDeals(options);
  const one = await open('sqlite', scene.options);
  await scene.prepare(one);
  return one;
}

const documentsOf = (one: World, set: string, dealId: number) =>
  one
    .onec()
    .standin.entities(set)
    .filter((entity) => String(entity.Комментарий ?? '').includes(`[amo:${dealId}]`));
/** Known goods, without which 1C takes no customer's order. */
function goodsOf(one: World) {
  const found = one.amo.standin.elements().find(({ sku }) => sku === 'MJ1009');
  return { elements: [{ id: found?.id ?? 0, quantity: 1 }] };
}

const stageOf = (one: World, dealId: number) => one.amo.standin.deals().find(({ id }) => id === dealId)?.status_id;
const failed = (one: World) =>
  one.database.db.selectFrom('failed_records').select(['kind', 'key', 'attempts', 'last_error']).execute();

function stateOf(one: World, dealId: number): string {
  const base = one.onec().standin;
  const [document] = documentsOf(one, WORK_ORDER, dealId);
  return String(base.entity(STATES, String(document?.Состояние_Key))?.Description ?? '');
}

async function later(one: World, ms: number, job = IMPORT) {
  one.clock.advance(ms);
  return one.run(job);
}

describe('the other direction in the middle of an import', () => {
  test('a document that has not got its state yet does not take the deal back to its first stage', async () => {
    const one = await account();
    const dealId = dealIdOf(one, 'Ремонт');
    // The deal's id is in doubt, so that neither the state nor the date is written in this pass.
    one.onec().fault({
      match: `POST ${ODATA}/InformationRegister_ДополнительныеСведения`,
      kind: 'status',
      status: 502,
      times: 0,
    });
    await later(one, MINUTES);
    expect(stateOf(one, dealId)).toBe('Заявка');
    await later(one, MINUTES, EXPORT);
    expect(stageOf(one, dealId)).toBe(STAGES.inWork);
    one.onec().faults.length = 0;
    await one.settle({ tickMs: 6 * MINUTES, jobs: [IMPORT, EXPORT] });
    expect([stageOf(one, dealId), stateOf(one, dealId)]).toEqual([STAGES.inWork, 'В работе']);
  });

  test('a deal that an export has made, and whose answer was lost, gets no second document', async () => {
    const scene = newDocuments({ env: { DOUBT_QUIET_SECONDS: '600' } });
    const one = await open('sqlite', scene.options);
    await scene.prepare(one);
    const before = [WORK_ORDER, CUSTOMER_ORDER].map((set) => one.onec().standin.entities(set).length);
    one.amo.fault({ match: 'POST /api/v4/leads', kind: 'status-after', status: 504 });
    await later(one, MINUTES, EXPORT);
    expect(one.amo.standin.deals().length).toBeGreaterThan(1);
    await later(one, MINUTES);
    await one.settle({ tickMs: 6 * MINUTES, jobs: [IMPORT, EXPORT] });
    expect([WORK_ORDER, CUSTOMER_ORDER].map((set) => one.onec().standin.entities(set).length)).toEqual(before);
  });
});

describe('a deal that goes on while its document waits', () => {
  test('a refused document is made as the deal stands by then', async () => {
    const one = await account();
    const dealId = dealIdOf(one, 'Ремонт');
    one.onec().fault({ match: `POST ${ODATA}/${WORK_ORDER}`, ...REFUSAL, times: 0 });
    await later(one, MINUTES);
    one.amo.standin.edit({ lead: dealId }, { status_id: STAGES.begin });
    one.onec().faults.length = 0;
    await one.settle({ tickMs: 6 * MINUTES, jobs: [IMPORT] });
    expect(stateOf(one, dealId)).toBe('Начать работу');
    expect(documentsOf(one, WORK_ORDER, dealId)).toHaveLength(1);
  });

  test('a deal that was lost before its refused document was made asks for the closed state once it is', async () => {
    const one = await account();
    const dealId = dealIdOf(one, 'Ремонт');
    await one.remap(
      ONEC_MAPPING.replace('  fields:', '    - { pipeline: 8266734, status: 143, state: "Закрыт" }\n  fields:'),
    );
    one.onec().fault({ match: `POST ${ODATA}/${WORK_ORDER}`, ...REFUSAL, times: 0 });
    await later(one, MINUTES);
    one.amo.standin.edit({ lead: dealId }, { status_id: 143 });
    one.onec().faults.length = 0;
    one.clock.advance(2 * DAY);
    for (let pass = 1; pass <= 3; pass++) await later(one, 10 * MINUTES);
    expect(await failed(one)).toMatchObject([
      { key: String(dealId), last_error: expect.stringContaining('state "Закрыт"') },
    ]);
  });

  test('a stage that changed days before the document could be made is not forgotten', async () => {
    const one = await account();
    one.onec().fault({ match: `POST ${ODATA}/Catalog_Контрагенты`, ...REFUSAL, times: 0 });
    await later(one, MINUTES);
    // Two deals have one new client, and the refusal is told of one of them; the other one has no fault of its own.
    const told = (await failed(one)).map(({ key }) => Number(key));
    const twins = ['Ремонт', 'Масло'].map((name) => dealIdOf(one, name));
    const [dealId = 0, ...others] = twins.filter((id) => !told.includes(id));
    expect(others).toEqual([]);
    one.amo.standin.edit({ lead: dealId }, { status_id: STAGES.begin });
    await later(one, 10 * MINUTES);
    one.clock.advance(2 * DAY);
    await later(one, MINUTES);
    one.onec().faults.length = 0;
    await one.settle({ tickMs: 25 * 60 * MINUTES, jobs: [IMPORT] });
    expect(documentsOf(one, WORK_ORDER, dealId)).toHaveLength(1);
    await later(one, MINUTES);
    expect(stateOf(one, dealId)).toBe('Начать работу');
  });
});

describe('what people do in 1C meanwhile', () => {
  test('a document that 1C has refused and that was entered by hand is taken, not made again; its client is made for the other deal', async () => {
    const one = await account();
    const base = one.onec().standin;
    one.onec().fault({ match: `POST ${ODATA}/Catalog_Контрагенты`, ...REFUSAL, times: 0 });
    await later(one, MINUTES);
    const twins = ['Ремонт', 'Масло'].map((name) => dealIdOf(one, name));
    const told = (await failed(one)).map(({ key }) => Number(key));
    const [dealId = 0] = twins.filter((id) => told.includes(id));
    const [otherId = 0] = twins.filter((id) => id !== dealId);
    base.seed({ generate: { workOrders: 1 } });
    const ref = String(base.entities(WORK_ORDER)[0]?.Ref_Key);
    base.seed({ marks: [{ set: WORK_ORDER, ref, property: 'amolead', value: dealId }] });
    one.onec().faults.length = 0;
    await one.settle({ tickMs: 6 * MINUTES, jobs: [IMPORT] });
    expect(
      base
        .entities(WORK_ORDER)
        .filter((entity) => base.mark(WORK_ORDER, String(entity.Ref_Key), 'amolead') === String(dealId)),
    ).toHaveLength(1);
    expect(documentsOf(one, WORK_ORDER, dealId)).toHaveLength(0);
    expect(documentsOf(one, WORK_ORDER, otherId)).toHaveLength(1);
    expect(await failed(one)).toEqual([]);
  });

  test('R37 a state that people have chosen before ours was written stays', async () => {
    const one = await account();
    const base = one.onec().standin;
    const dealId = dealIdOf(one, 'Ремонт');
    one.onec().fault({ match: `PATCH ${ODATA}/${WORK_ORDER}`, ...REFUSAL, times: 0 });
    await later(one, MINUTES);
    const ref = String(documentsOf(one, WORK_ORDER, dealId)[0]?.Ref_Key);
    base.edit({ set: WORK_ORDER, ref, changes: { Состояние_Key: base.ref(STATES, 'НачатьРаботу') } });
    one.onec().faults.length = 0;
    await one.settle({ tickMs: 6 * MINUTES, jobs: [IMPORT] });
    expect(stateOf(one, dealId)).toBe('Начать работу');
  });

  test('a request that was deleted before its chain was whole is made anew, and posted', async () => {
    const one = await account();
    const base = one.onec().standin;
    const dealId = dealIdOf(one, 'Ремонт');
    one.onec().fault({ match: `POST ${ODATA}/${SUMMARY}`, ...REFUSAL, times: 0 });
    await later(one, MINUTES);
    const [first] = documentsOf(one, REQUEST, dealId);
    base.edit({ set: REQUEST, ref: String(first?.Ref_Key), changes: { Posted: false, DeletionMark: true } });
    one.onec().faults.length = 0;
    await one.settle({ tickMs: 6 * MINUTES, jobs: [IMPORT] });
    const requests = documentsOf(one, REQUEST, dealId).filter(({ DeletionMark }) => DeletionMark !== true);
    expect(requests).toMatchObject([{ Posted: true }]);
    expect(documentsOf(one, SUMMARY, dealId)).toMatchObject([{ ДокументОснование: requests[0]?.Ref_Key }]);
    expect(documentsOf(one, WORK_ORDER, dealId)).toHaveLength(1);
  });

  test('a client who was deleted long after its payload was forgotten is made anew for a new deal', async () => {
    const one = await account();
    const base = one.onec().standin;
    await one.settle({ tickMs: MINUTES, jobs: [IMPORT] });
    await one.database.db.updateTable('outbox').set({ payload: null }).where('state', '=', 'done').execute();
    const made = base.entities(CLIENTS).filter(({ Description }) => Description === 'Иван Проверкин');
    expect(made).toHaveLength(1);
    base.edit({ set: CLIENTS, ref: String(made[0]?.Ref_Key), changes: { DeletionMark: true } });
    const [contact = 0] = one.amo.standin.contacts().flatMap(({ id, name }) => (name === 'Иван Проверкин' ? [id] : []));
    const { deals } = one.amo.standin.add({
      deals: [
        {
          name: 'Снова',
          price: 1,
          pipeline_id: 8266734,
          status_id: STAGES.inWork,
          contacts: [contact],
          ...goodsOf(one),
        },
      ],
    });
    await one.settle({ tickMs: 6 * MINUTES, jobs: [IMPORT] });
    expect(documentsOf(one, CUSTOMER_ORDER, deals[0] ?? 0)).toHaveLength(1);
    expect(
      base
        .entities(CLIENTS)
        .filter(({ Description, DeletionMark }) => Description === 'Иван Проверкин' && DeletionMark !== true),
    ).toHaveLength(1);
  });
});

test('two contacts of one counterparty, with a deal each: one counterparty, one contract', async () => {
  const one = await account();
  const base = one.onec().standin;
  const { contacts } = one.amo.standin.add({
    contacts: [
      { name: 'Анна', phones: ['+79015550077'], emails: ['a@example.com'] },
      { name: 'Контора', emails: ['a@example.com'] },
    ],
  });
  one.amo.standin.add({
    deals: contacts.map((id, index) => ({
      ...{
        name: `Анна ${index}`,
        price: 1,
        pipeline_id: 8266734,
        status_id: STAGES.inWork,
        contacts: [id],
        ...goodsOf(one),
      },
    })),
  });
  await one.settle({ tickMs: MINUTES, jobs: [IMPORT] });
  const clients = base.entities(CLIENTS).filter(({ Description }) => /Анна|Контора/.test(String(Description)));
  expect(clients).toHaveLength(1);
  const contracts = base.entities('Catalog_ДоговорыВзаиморасчетов');
  expect(contracts.filter(({ Owner_Key }) => Owner_Key === clients[0]?.Ref_Key)).toHaveLength(1);
});

describe('failed records', () => {
  test('a stage whose state 1C lacks stays among them, and is done once 1C has it, whenever that is', async () => {
    const one = await account();
    const dealId = dealIdOf(one, 'Ремонт');
    await one.settle({ tickMs: MINUTES, jobs: [IMPORT] });
    await one.remap(ONEC_MAPPING.replace('state: "Начать работу"', 'state: "Мойка"'));
    one.amo.standin.edit({ lead: dealId }, { status_id: STAGES.begin });
    for (let pass = 1; pass <= 4; pass++) await later(one, 10 * MINUTES);
    expect(await failed(one)).toMatchObject([{ kind: 'lead', key: String(dealId), attempts: 4 }]);
    one.clock.advance(2 * DAY);
    await one.remap(ONEC_MAPPING);
    await later(one, MINUTES);
    await later(one, MINUTES);
    expect(stateOf(one, dealId)).toBe('Начать работу');
    expect(await failed(one)).toEqual([]);
  });

  test('R36 a refusal is over once the deal has gone on', async () => {
    const one = await account();
    const dealId = dealIdOf(one, 'Ремонт');
    await one.settle({ tickMs: MINUTES, jobs: [IMPORT] });
    one.onec().fault({ match: `PATCH ${ODATA}/${WORK_ORDER}`, ...REFUSAL });
    one.amo.standin.edit({ lead: dealId }, { status_id: STAGES.begin });
    await later(one, 10 * MINUTES);
    expect(await failed(one)).toHaveLength(1);
    one.amo.standin.edit({ lead: dealId }, { status_id: STAGES.placed });
    await later(one, 30_000);
    expect(stateOf(one, dealId)).toBe('Размещен');
    expect(await failed(one)).toEqual([]);
  });

  test("R35 a deal without a client that was lost meanwhile is nobody's fault any more", async () => {
    const one = await account();
    const { deals } = one.amo.standin.add({
      deals: [{ name: 'Без клиента', price: 1, pipeline_id: 8266734, status_id: STAGES.inWork }],
    });
    const [dealId = 0] = deals;
    await one.settle({ tickMs: MINUTES, jobs: [IMPORT], most: 2 }).catch(() => undefined);
    expect(await failed(one)).toMatchObject([{ key: String(dealId) }]);
    one.amo.standin.edit({ lead: dealId }, { status_id: 143 });
    one.clock.advance(2 * DAY);
    await later(one, MINUTES);
    expect(await failed(one)).toEqual([]);
    clearJournals(one);
    await later(one, MINUTES);
    expect(one.amo.journal).toHaveLength(1);
    expect(writesOf(one)).toEqual([]);
  });
});

test('MAX_CHANGES_PER_RUN counts the documents that stood there before, not those that the pass makes', async () => {
  const one = await account({ env: { MAX_CHANGES_PER_RUN: '1' } });
  expect((await later(one, MINUTES)).error).toBeUndefined();
  expect(stateOf(one, dealIdOf(one, 'Ремонт'))).toBe('В работе');
  one.amo.standin.edit({ lead: dealIdOf(one, 'Ремонт') }, { status_id: STAGES.begin });
  one.amo.standin.edit({ lead: dealIdOf(one, 'Масло') }, { status_id: STAGES.begin });
  expect((await later(one, MINUTES)).error).toMatchObject({ code: 'TOO_MANY_CHANGES' });
});
