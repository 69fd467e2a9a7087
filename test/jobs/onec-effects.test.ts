import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Json } from '../../src/base/schema.ts';
import type { Effect } from '../../src/domain/effect.ts';
import { deterministicRef, differences } from '../../src/systems/onec/effects/body.ts';
import type { CreatePayload } from '../../src/systems/onec/effects/payloads.ts';
import { KINDS, keys, onecEffect } from '../../src/systems/onec/effects/payloads.ts';
import { fromLocal } from '../../src/systems/onec/time.ts';
import {
  CLIENTS,
  CUSTOMER_ORDER,
  chain,
  clientEffect,
  idEffect,
  markEffect,
  REQUEST,
  recordOf,
  requestEffects,
  STATES,
  SUMMARY,
  stateChange,
  WORK_ORDER,
  workOrderEffect,
} from '../support/onec-effects.ts';
import { alfaMapping, type OnecScene, type OnecSceneOptions, onecScene } from '../support/onec-scene.ts';

let open: OnecScene | undefined;

async function scene(options: OnecSceneOptions = {}): Promise<OnecScene> {
  open = await onecScene(options);
  return open;
}
afterEach(async () => {
  await open?.close();
  open = undefined;
});

const ITEMS = 'Catalog_Номенклатура';
const unitIn = (rows: unknown) => (rows as { ЕдиницаИзмерения_Key?: string }[])[0]?.ЕдиницаИзмерения_Key;
const writes = (requests: readonly string[]) => requests.filter((one) => !one.startsWith('GET'));
const ofDeal = ({ base }: OnecScene, set: string, dealId: number) =>
  base.entities(set).filter((one) => String(one.Комментарий ?? '').includes(`[amo:${dealId}]`));
const named = ({ base }: OnecScene) => base.entities(CLIENTS).filter((one) => one.Description === 'Пробный Павел');

/** A work order that stands in the base and is linked with the deal in this state. */
async function standing(it: OnecScene, dealId: number, state = 'Заявка'): Promise<string> {
  await it.deliver(chain(it.base, dealId).slice(0, -3));
  const ref = (await it.idOf(keys.document(dealId))) ?? '';
  it.base.edit({ set: WORK_ORDER, ref, changes: { Состояние_Key: it.base.ref(STATES, state) } });
  await it.bind(keys.document(dealId), KINDS.workOrder, ref, { type: 'workOrder', state });
  return ref;
}
const stateOf = ({ base }: OnecScene, ref: string) => {
  const key = base.entity(WORK_ORDER, ref)?.Состояние_Key;
  return base.entities(STATES).find((one) => one.Ref_Key === key)?.Description;
};

describe('a chain of documents', () => {
  test('R29, R34 is made in the order in which 1C takes it, each thing once', async () => {
    const it = await scene();
    const { counts, requests } = await it.deliver(chain(it.base, 501));
    expect(counts).toMatchObject({ created: 1, updated: 1, failed: 0 });
    const ref = (await it.idOf(keys.document(501))) ?? '';
    expect(writes(requests).map((one) => one.replace(/\(guid.*?\)/, ''))).toEqual([
      `POST ${CLIENTS}`,
      'POST Catalog_ДоговорыВзаиморасчетов',
      `POST ${REQUEST}`,
      `POST ${REQUEST}/Post`,
      `POST ${SUMMARY}`,
      `POST ${WORK_ORDER}`,
      'POST InformationRegister_ДополнительныеСведения',
      `PATCH ${WORK_ORDER}`,
      'POST InformationRegister_ДополнительныеСведения',
      'POST InformationRegister_ДополнительныеСведения',
    ]);
    expect(it.base.entity(WORK_ORDER, ref)).toMatchObject({
      Posted: true,
      Контрагент_Key: await it.idOf(keys.client('contact', 501)),
      СводныйРемонтныйЗаказ_Key: await it.idOf(keys.summary(501)),
    });
    expect(it.base.entity(SUMMARY, (await it.idOf(keys.summary(501))) ?? '')).toMatchObject({
      ДокументОснование: await it.idOf(keys.request(501)),
    });
    expect(it.base.mark(WORK_ORDER, ref, 'amolead')).toBe('501');
    expect(stateOf(it, ref)).toBe('В работе');
    expect(await it.alerts()).toEqual([]);
    expect((await it.run()).requests).toEqual([]);
  });

  test('R10 an export finds the deal bound, so that it makes no second one', async () => {
    const it = await scene();
    await it.deliver(chain(it.base, 501));
    const ref = await it.idOf(keys.document(501));
    expect(await it.linkOf(`amocrm:deal:onec:${ref}`)).toMatchObject({ remoteId: '501', applied: { price: 11_600 } });
    expect(await it.linkOf(`amocrm:deal-goods:onec:${ref}`)).toMatchObject({ applied: { DB83034: 2 } });
    expect(await it.linkOf(keys.document(501))).toMatchObject({ applied: { type: 'workOrder', state: 'В работе' } });
  });

  test('goods are counted in the unit of each item, asked for once for all documents; one that is hidden keeps its own', async () => {
    const it = await scene();
    const model = it.base.entity(ITEMS, it.base.ref(ITEMS, 'Ступица с подшипником'));
    const { Ref_Key: _, Code: __, DataVersion: ___, ОсновнаяЕдиницаИзмерения_Key: common, ...values } = model ?? {};
    const made = [1, 2, 3].map((n) =>
      it.base.edit({ set: ITEMS, changes: { ...values, Description: `Деталь ${n}`, Артикул: `D-${n}` } }),
    );
    const chainOf = (at: number) => {
      const [row] = (workOrderEffect(it.base, 501 + at).payload as { body: { Товары: object[] } }).body.Товары;
      const extra = { Товары: [{ ...row, Номенклатура_Key: made[at]?.Ref_Key }] };
      return [...chain(it.base, 501 + at).slice(0, 5), workOrderEffect(it.base, 501 + at, { extra })];
    };
    const { requests } = await it.deliver([...chainOf(0), ...chainOf(1)]);
    expect(requests.filter((one) => one === `GET ${ITEMS}`)).toHaveLength(1);
    it.onec.standin.configure({ rlsHidden: [String(made[2]?.Ref_Key)] });
    expect((await it.deliver(chainOf(2))).counts).toMatchObject({ created: 1, failed: 0 });
    const units = [501, 502, 503].flatMap((id) => ofDeal(it, WORK_ORDER, id)).map(({ Товары }) => unitIn(Товары));
    const own = made.map((item) => item.ОсновнаяЕдиницаИзмерения_Key);
    expect(new Set([...own, common]).size).toBe(4);
    expect(units).toEqual([own[0], own[1], it.base.ref('Catalog_ЕдиницыИзмерения', 'шт')]);
  });

  test('a half-made chain of a database that was lost is completed, not doubled', async () => {
    const it = await scene({ standin: { honoursRefKey: false } });
    await it.deliver(chain(it.base, 501).slice(0, 5));
    for (const table of ['links', 'outbox', 'reservations'] as const) await it.database.db.deleteFrom(table).execute();
    const { counts } = await it.deliver(chain(it.base, 501), true);
    expect(counts).toMatchObject({ created: 1, failed: 0 });
    expect([ofDeal(it, REQUEST, 501).length, ofDeal(it, SUMMARY, 501).length, named(it).length]).toEqual([1, 1, 1]);
    expect(ofDeal(it, WORK_ORDER, 501)).toHaveLength(1);
  });

  test('a refusal of 1C keeps the document with its words and lets the others go on', async () => {
    const it = await scene();
    const broken = workOrderEffect(it.base, 501, { extra: { Цех_Key: '00000000-0000-0000-0000-000000000000' } });
    const both = [...chain(it.base, 501).slice(0, 5), broken, ...chain(it.base, 502).slice(0, 6)];
    const { counts } = await it.deliver(both);
    expect(counts).toMatchObject({ created: 1, failed: 1 });
    expect(await it.rowOf(keys.document(501))).toMatchObject({
      state: 'failed',
      last_error: expect.stringContaining('Поле "Цех" не заполнено'),
    });
  });
});

describe('an answer that was lost', () => {
  for (const honoursRefKey of [true, false]) {
    const how = honoursRefKey ? 'by the reference that we gave it' : 'by its marker, where 1C gives its own reference';
    test(`after the document was written: it is found ${how}`, async () => {
      const it = await scene({ standin: { honoursRefKey } });
      it.onec.fault({ match: `POST /odata/standard.odata/${WORK_ORDER}`, kind: 'status-after', status: 502 });
      await it.deliver(chain(it.base, 501));
      expect(await it.rowOf(keys.document(501))).toMatchObject({ state: 'doubt' });
      await it.run();
      expect(ofDeal(it, WORK_ORDER, 501)).toHaveLength(1);
      expect(await it.rowOf(keys.document(501))).toMatchObject({ state: 'done' });
      expect(await it.rowOf(keys.mark(keys.document(501)))).toMatchObject({ state: 'done' });
    });

    test(`of a client: found ${how.replace('its marker', 'its phone')}`, async () => {
      const it = await scene({ standin: { honoursRefKey } });
      it.onec.fault({ match: `POST /odata/standard.odata/${CLIENTS}`, kind: 'status-after', status: 502 });
      await it.deliver([clientEffect(501)]);
      await it.run();
      expect(named(it)).toHaveLength(1);
      expect(await it.idOf(keys.client('contact', 501))).toBe(named(it)[0]?.Ref_Key);
    });
  }

  test('before it was written: sent again after two looks in vain, and no earlier', async () => {
    const it = await scene();
    it.onec.fault({ match: `POST /odata/standard.odata/${WORK_ORDER}`, kind: 'status', status: 502 });
    await it.deliver(chain(it.base, 501));
    await it.run();
    expect(ofDeal(it, WORK_ORDER, 501)).toHaveLength(0);
    await it.run();
    expect(ofDeal(it, WORK_ORDER, 501)).toHaveLength(1);
  });

  test('a list that hides documents known to exist proves nothing: the doubt stays and is told', async () => {
    const it = await scene({ standin: { honoursRefKey: false } });
    await it.deliver(chain(it.base, 500));
    it.onec.fault({ match: `POST /odata/standard.odata/${WORK_ORDER}`, kind: 'status-after', status: 502 });
    await it.deliver(chain(it.base, 501).map((effect) => withPhone(effect, '+79285550177')));
    const hide = { match: `GET /odata/standard.odata/${WORK_ORDER}`, kind: 'status', status: 200, nth: 2 } as const;
    it.onec.fault({ ...hide, body: '{"value":[]}' });
    await it.run();
    expect(await it.rowOf(keys.document(501))).toMatchObject({ state: 'doubt' });
    expect(await it.alerts()).toMatchObject([{ kind: 'in_doubt', subject: keys.document(501) }]);
    await it.run();
    expect(ofDeal(it, WORK_ORDER, 501)).toHaveLength(1);
  });

  test('a client that nothing tells from others stays in doubt where 1C gives its own references', async () => {
    const it = await scene({ standin: { honoursRefKey: false } });
    const bare = clientEffect(501);
    const body = { ...(bare.payload as CreatePayload).body };
    delete body.КонтактнаяИнформация;
    it.onec.fault({ match: `POST /odata/standard.odata/${CLIENTS}`, kind: 'status-after', status: 502 });
    await it.deliver([{ ...bare, payload: { ...(bare.payload as object), body, find: { by: 'contact' } } as Json }]);
    await it.run();
    expect(await it.rowOf(bare.key)).toMatchObject({ state: 'doubt' });
    expect(named(it)).toHaveLength(1);
  });
});

function withPhone(effect: Effect, phone: string): Effect {
  return effect.kind === KINDS.client ? clientEffect(Number(effect.record.key), {}, phone) : effect;
}

describe('R30 a client', () => {
  test('is the one that people have entered with another spelling of the phone', async () => {
    const it = await scene();
    const ref = '11111111-1111-4111-8111-111111111111';
    const row = { Тип: 'Телефон', Представление: '8 (928) 555-01-01' };
    it.base.seed({
      counterparties: [{ Ref_Key: ref, Code: 'ЦБ900', Description: 'Паша', КонтактнаяИнформация: [row] }],
    });
    const { requests } = await it.deliver([clientEffect(501)]);
    expect(await it.idOf(keys.client('contact', 501))).toBe(ref);
    expect(writes(requests)).toEqual([]);
  });

  test('of two deals with one phone is made once', async () => {
    const it = await scene();
    await it.deliver([clientEffect(501), clientEffect(502)]);
    expect(named(it)).toHaveLength(1);
    expect(await it.idOf(keys.client('contact', 502))).toBe(await it.idOf(keys.client('contact', 501)));
  });

  test('that is named but was marked for deletion is made anew, and so is one that went after it was bound', async () => {
    const it = await scene();
    await it.deliver([clientEffect(501)]);
    const ref = (await it.idOf(keys.client('contact', 501))) ?? '';
    it.base.edit({ set: CLIENTS, ref, changes: { DeletionMark: true } });
    await it.deliver([clientEffect(502, { existing: ref })]);
    const second = await it.idOf(keys.client('contact', 502));
    expect(second).not.toBe(ref);
    await it.deliver(requestEffects(it.base, 501).slice(0, 1));
    expect(await it.rowOf(keys.request(501))).toMatchObject({ state: 'failed' });
    await it.run();
    await it.run();
    expect(await it.idOf(keys.client('contact', 501))).toBe(second);
    expect(ofDeal(it, REQUEST, 501)).toMatchObject([{ Заказчик_Key: second }]);
  });

  test('that several counterparties may be is told of', async () => {
    const it = await scene();
    const row = { Тип: 'Телефон', Представление: '8 (928) 555-01-01' };
    const twin = (n: number) => ({
      Ref_Key: `1111111${n}-1111-4111-8111-111111111111`,
      Code: `ЦБ90${n}`,
      КонтактнаяИнформация: [row],
    });
    it.base.seed({ counterparties: [twin(2), twin(1)] });
    await it.deliver([clientEffect(501)]);
    expect(await it.idOf(keys.client('contact', 501))).toBe(twin(1).Ref_Key);
    expect(await it.alerts()).toMatchObject([{ kind: 'onec_ambiguous' }]);
  });
});

describe('R31 goods and works', () => {
  const item = (article: string, maker: string, name: string) => {
    const payload = { set: 'Catalog_Номенклатура', body: {}, refs: {}, find: { by: 'article', article, maker, name } };
    return onecEffect(KINDS.item, keys.item(`${article}|${maker}|${name}`), recordOf(1), [], payload);
  };
  test.each([
    ['mj-1009', 'Mando', '', 'Фильтр масляный CHANGAN'],
    ['MJ1009', '', '', 'Фильтр масляный CHANGAN'],
    ['', '', 'Рычаг подвески', 'Рычаг подвески'],
  ])('item %s of %s %s is found', async (article, maker, name, found) => {
    const it = await scene();
    const effect = item(article, maker, name);
    await it.deliver([effect]);
    expect(await it.idOf(effect.key)).toBe(it.base.ref('Catalog_Номенклатура', found));
  });

  test('the maker decides where the mapping says so', async () => {
    const it = await scene({ mapping: alfaMapping({ export: { matchItemsBy: 'article+maker' } }) });
    const effect = item('MJ1009', 'SLON', '');
    await it.deliver([effect]);
    expect(await it.rowOf(effect.key)).toMatchObject({ state: 'failed' });
  });
});

describe('what 1C does not keep', () => {
  test('an unknown property and a cut text are told once each', async () => {
    const it = await scene();
    const client = clientEffect(501);
    const body = { ...(client.payload as CreatePayload).body, Фамилия: 'Д'.repeat(140), НетТакого: 'x' };
    const payload = (find: object) => ({ ...(client.payload as object), body, find }) as Json;
    const other = clientEffect(502);
    await it.deliver([
      { ...client, payload: payload({ by: 'contact', phone: '+79285550101' }) },
      { ...other, payload: payload({ by: 'contact', phone: '+79285550102' }) },
    ]);
    const told = (await it.alerts()).map(({ kind, subject, message }) => [
      kind,
      subject,
      /does not show|has cut/.exec(message)?.[0],
    ]);
    expect(told.sort()).toEqual([
      ['onec_dropped', `${CLIENTS}.НетТакого`, 'does not show'],
      ['onec_dropped', `${CLIENTS}.Фамилия`, 'has cut'],
    ]);
  });

  test('only the first objects of a set are read back, and again after 1C was reconfigured', async () => {
    const it = await scene();
    const made = (from: number) => [0, 1, 2, 3].map((at) => clientEffect(from + at, {}, `+7928555${from + at}0`));
    const readBack = (requests: readonly string[]) => requests.filter((one) => one.startsWith(`GET ${CLIENTS}(`));
    expect(readBack((await it.deliver(made(501))).requests)).toHaveLength(3);
    expect(readBack((await it.deliver(made(601))).requests)).toHaveLength(0);
    await it.parts().reader.checkNames();
    expect(readBack((await it.deliver(made(701))).requests)).toHaveLength(3);
  });

  test('rows, types and blanks are compared as 1C spells them', () => {
    const sent = {
      Code: '2',
      A: 1.5,
      B: 'текст',
      C: true,
      T: [{ X: 1, Y: 'ab' }],
      E: '',
      K: 'ABCDEF01-0000-4000-8000-000000000000',
    };
    const same = {
      Code: '2   ',
      A: '1.5',
      B: 'текст',
      C: true,
      T: [{ LineNumber: '1', X: '1', Y: 'ab' }],
      K: sent.K.toLowerCase(),
    };
    expect(differences(sent, same)).toEqual([]);
    expect(differences(sent, { ...same, A: 0, B: 'тек', C: false, T: [{ X: 2, Y: 'ab' }] })).toEqual([
      { property: 'A', how: 'empty' },
      { property: 'B', how: 'cut' },
      { property: 'C', how: 'empty' },
      { property: 'T.X', how: 'other' },
    ]);
  });
});

describe('ids and dates of exchange', () => {
  test('R14 an id that stands there already costs no request; another one is written over it', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    it.base.putMark(WORK_ORDER, ref, 'amolead', 77);
    const { requests } = await it.deliver([idEffect(501, { object: ref, amoId: 77, current: 77 })]);
    expect(requests).toEqual([]);
    const other = { ...idEffect(501, { object: ref, amoId: 78, current: 77 }), key: 'onec:id:other' };
    await it.deliver([other]);
    expect(it.base.mark(WORK_ORDER, ref, 'amolead')).toBe('78');
  });

  test('a deal that came to stand there in between is not hidden', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    it.base.putMark(WORK_ORDER, ref, 'amolead', 99);
    await it.deliver([idEffect(501, { object: ref, amoId: 501 })]);
    expect(it.base.mark(WORK_ORDER, ref, 'amolead')).toBe('99');
    expect(await it.alerts()).toMatchObject([{ kind: 'conflict', subject: 'lead:501:deal' }]);
  });

  test('R12 the date exported is never before the date written, whatever the clocks say', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    await it.deliver([markEffect(501, '2026-05-04T23:00:00', false)]);
    expect(it.base.mark(WORK_ORDER, ref, 'Дата выгрузки на сайт')).toBe('2026-05-04T23:00:00');
    const later = markEffect(501, '2026-05-04T10:00:00');
    await it.deliver([{ ...later, key: `${later.key}#1` }]);
    const at = it.base.mark(WORK_ORDER, ref, 'Дата обновления') ?? '';
    expect(at > '2026-05-04T10:00:00').toBe(true);
    expect(await it.linkOf(later.key)).toMatchObject({
      applied: { exportedAt: fromLocal(at, 'Europe/Moscow').toISOString() },
    });
  });

  test('a lost answer to a date is settled by reading it', async () => {
    const it = await scene();
    await standing(it, 501);
    it.onec.fault({ match: 'POST /odata/standard.odata/InformationRegister_', kind: 'lost', times: 0 });
    await it.deliver([markEffect(501, '2026-05-04T10:00:00', false)]).catch(() => undefined);
    it.onec.faults.length = 0;
    const { requests } = await it.run();
    expect(writes(requests)).toEqual([]);
    expect(await it.rowOf(keys.mark(keys.document(501)))).toMatchObject({ state: 'done' });
  });
});

describe('the state of a document', () => {
  test('R28 follows the deal, and nothing else of the document changes', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    const before = it.base.entity(WORK_ORDER, ref);
    const { counts } = await it.deliver([stateChange(it.base, 501, 1, 'В работе')]);
    expect(counts.updated).toBe(1);
    expect(stateOf(it, ref)).toBe('В работе');
    expect(it.base.entity(WORK_ORDER, ref)).toMatchObject({ Комментарий: before?.Комментарий, Товары: before?.Товары });
    expect(await it.linkOf(keys.document(501))).toMatchObject({ applied: { state: 'В работе' } });
  });

  test('R37 moved by people in 1C stays, and what was agreed on is kept', async () => {
    const it = await scene();
    const ref = await standing(it, 501, 'Размещен');
    await it.bind(keys.document(501), KINDS.workOrder, ref, { type: 'workOrder', state: 'Заявка' });
    const { requests } = await it.deliver([stateChange(it.base, 501, 1, 'В работе')]);
    expect(writes(requests)).toEqual([]);
    expect(stateOf(it, ref)).toBe('Размещен');
    expect(await it.alerts()).toMatchObject([{ kind: 'conflict', subject: 'lead:501:state' }]);
    expect(await it.linkOf(keys.document(501))).toMatchObject({ applied: { state: 'Заявка' } });
  });

  test('R36 refused by 1C is kept with its words; other documents and a newer change go on', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    const { counts } = await it.deliver([stateChange(it.base, 501, 1, 'Закрыт')]);
    expect(counts.failed).toBe(1);
    const refused = await it.rowOf(`${keys.document(501)}#1`);
    expect(refused).toMatchObject({ state: 'failed', last_error: expect.stringContaining('"Закрыт"') });
    expect(refused.last_error).toContain('только после состояния "Выполнен"');
    await it.deliver([stateChange(it.base, 501, 2, 'В работе')]);
    expect(stateOf(it, ref)).toBe('В работе');
    expect(await it.rowOf(`${keys.document(501)}#1`)).toMatchObject({ state: 'superseded' });
  });

  test('a document saved by a person at that moment is judged anew', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    it.onec.fault({ match: `PATCH /odata/standard.odata/${WORK_ORDER}`, kind: 'status', status: 412, body: '{}' });
    await it.deliver([stateChange(it.base, 501, 1, 'В работе')]);
    expect(stateOf(it, ref)).toBe('В работе');
    it.onec.fault({
      match: `PATCH /odata/standard.odata/${WORK_ORDER}`,
      kind: 'status',
      status: 412,
      body: '{}',
      times: 0,
    });
    const { counts } = await it.deliver([stateChange(it.base, 501, 2, 'Размещен', { ours: ['В работе'] })]);
    expect(counts.failed).toBe(1);
  });

  test('a lost answer is settled by reading the state', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    it.onec.fault({ match: `PATCH /odata/standard.odata/${WORK_ORDER}`, kind: 'lost' });
    await it.deliver([stateChange(it.base, 501, 1, 'В работе')]);
    const { requests } = await it.run();
    expect(writes(requests)).toEqual([]);
    expect(stateOf(it, ref)).toBe('В работе');
  });

  test('a document that is marked for deletion is told of and left alone', async () => {
    const it = await scene();
    const ref = await standing(it, 501);
    it.base.edit({ set: WORK_ORDER, ref, changes: { DeletionMark: true } });
    await it.deliver([stateChange(it.base, 501, 1, 'В работе')]);
    expect(await it.alerts()).toMatchObject([{ kind: 'document_gone', subject: 'lead:501' }]);
  });

  for (const filterLies of [false, true]) {
    test(`in a register is the latest record of the document${filterLies ? ', even where filters lie' : ''}`, async () => {
      const it = await scene({ standin: { filterLies } });
      const ref = '22222222-2222-4222-8222-222222222222';
      const register = 'InformationRegister_ЖурналСостояний';
      const record = (Period: string, state: string) => ({
        ...{ Period, Объект: ref, Объект_Type: `StandardODATA.${CUSTOMER_ORDER}` },
        ...{ Состояние: it.base.ref(STATES, state), Состояние_Type: `StandardODATA.${STATES}` },
      });
      const records = [record('2026-05-02T10:00:00', 'Новый'), record('2026-05-03T09:00:00', 'НеРазмещен')];
      it.base.seed({
        documents: [
          { set: CUSTOMER_ORDER, Ref_Key: ref, Date: '2026-05-02T10:00:00', Number: 'ТК000000001', Posted: true },
        ],
        entities: { [register]: records },
      });
      await it.bind(keys.document(501), KINDS.customerOrder, ref, { type: 'customerOrder', state: 'Не размещен' });
      const more = { type: 'customerOrder', ours: ['Не размещен'] } as const;
      await it.deliver([stateChange(it.base, 501, 1, 'Размещен', { ...more, ours: [...more.ours] })]);
      const kept = it.base.entities(register).filter((one) => one.Объект === ref);
      expect(kept.map((one) => [one.Period, one.Состояние])).toEqual([
        ['2026-05-02T10:00:00', it.base.ref(STATES, 'Новый')],
        ['2026-05-03T09:00:00', it.base.ref(STATES, 'Размещен')],
      ]);
      expect(await it.rowOf(`${keys.document(501)}#1`)).toMatchObject({ state: 'done' });
    });
  }
});

test('a document is posted once: what is posted already is left as it is', async () => {
  const it = await scene();
  await it.deliver(chain(it.base, 501).slice(0, 3));
  const [, post] = requestEffects(it.base, 501);
  it.base.edit({ set: REQUEST, ref: (await it.idOf(keys.request(501))) ?? '', changes: { Posted: true } });
  const { requests } = await it.deliver(post === undefined ? [] : [post]);
  expect(requests).toEqual([`GET ${REQUEST}`]);
});

test('a dry run shows every field that would be written, and nothing personal', async () => {
  const it = await scene();
  const { handlers } = it.parts();
  const shown = new Map(
    chain(it.base, 501).map((effect) => [
      effect.kind,
      handlers.find(({ kind }) => kind === effect.kind)?.describe(effect.payload) ?? {},
    ]),
  );
  expect(JSON.stringify([...shown.values()])).not.toMatch(/Пробный|Павел|5550101|Позвонить/);
  expect(shown.get(KINDS.client)).toMatchObject({ set: CLIENTS, ФормаСобственности: 'ЧастноеЛицо', Фамилия: '***' });
  expect(shown.get(KINDS.workOrder)).toMatchObject({
    КурсДокумента: 1,
    Контрагент_Key: `→ ${keys.client('contact', 501)}`,
  });
  expect(shown.get(KINDS.state)).toMatchObject({ state: 'В работе' });
  expect(handlers.map(({ kind }) => kind)).toEqual(Object.values(KINDS));
});

test('law: the reference of a new object is a UUID of its own for each key', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (a, b) => {
      expect(deterministicRef(a)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(deterministicRef(a) === deterministicRef(b)).toBe(a === b);
    }),
  );
});
