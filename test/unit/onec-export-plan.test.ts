import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Json } from '../../src/base/schema.ts';
import { loadMapping } from '../../src/config/mapping.ts';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import type { LinkState, Plan } from '../../src/domain/effect.ts';
import type { OnecClient, OnecDocument, OnecLine } from '../../src/domain/onec.ts';
import { type DocumentOptions, stagelessState } from '../../src/jobs/onec-export-deal.ts';
import { type DocumentHistory, planDocument, planDocumentChanges } from '../../src/jobs/onec-export-plan.ts';
import type { Change } from '../../src/runner/sink.ts';

const REF = '00000000-0000-4000-8000-000000000001';
const CLIENT = '00000000-0000-4000-8000-0000000000c1';
const PERSON = '00000000-0000-4000-8000-0000000000c2';
const FILTER = '00000000-0000-4000-8000-0000000000a1';
const WORK = '00000000-0000-4000-8000-0000000000b1';
const DEAL = `amocrm:deal:onec:${REF}`;
const GOODS = `amocrm:deal-goods:onec:${REF}`;
const CONTACT = `amocrm:contact:onec:${CLIENT}`;
const MARK = `onec:mark:${REF}`;
const NOW = new Date('2025-06-10T12:00:00Z');

const YAML = `onec:
  statuses:
    - { pipeline: 8, status: 81, state: "Размещен", organization: null, department: null, default: true }
    - { pipeline: 8, status: 82, state: "Размещен", organization: null, department: null, default: false }
    - { pipeline: 8, status: 83, state: "В работе", organization: null, department: null, default: false }
  fields: { number: 31, recommendations: 32, car: 33, comment: 34, reason: 35, contact_code: 41, contact_car_id: 42,
            company_code: 51 }
  users: { "Пример П. П.": 77 }
`;

let onec: OnecMapping;
beforeAll(async () => {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-onec-plan-'));
  try {
    writeFileSync(join(baseDir, 'mapping.yaml'), YAML);
    onec = (await loadMapping({ baseDir })).onec as OnecMapping;
  } finally {
    rmSync(baseDir, { recursive: true });
  }
});

function options(more: Partial<DocumentOptions> = {}, exporting: Partial<OnecMapping['export']> = {}): DocumentOptions {
  return {
    mapping: { ...onec, export: { ...onec.export, ...exporting } },
    phoneEnum: 'WORK',
    pipelineId: 5,
    statusId: undefined,
    responsibleUserId: 7,
    catalogId: 55,
    zone: 'Europe/Moscow',
    now: NOW,
    backfill: false,
    ...more,
  };
}

const person: OnecClient = {
  ref: CLIENT,
  code: 'ЦБ000001',
  name: 'Пробный Клиент',
  kind: 'person',
  firstName: 'Клиент',
  lastName: 'Пробный',
  phones: ['+70000000001', '+70000000002'],
  emails: ['probe@example.org'],
  persons: [],
};

function line(more: Partial<OnecLine> = {}): OnecLine {
  return {
    kind: 'item',
    ref: FILTER,
    code: '00001',
    article: 'MJ-1009',
    maker: 'Mando',
    name: 'Фильтр масляный',
    unit: 'шт',
    quantity: 1,
    priceMinor: 33050,
    totalMinor: 33050,
    ...more,
  };
}

const work = line({
  kind: 'work',
  ref: WORK,
  code: '0000000012',
  article: '',
  maker: '',
  name: 'Замена  Масла',
  unit: 'н/ч',
  quantity: 0.25,
  priceMinor: 100000,
});

function document(more: Partial<OnecDocument> = {}): OnecDocument {
  const state = { ref: 's', code: '', name: 'Размещен' };
  return {
    type: 'customerOrder',
    ref: REF,
    number: 'ТК000001281',
    date: '2025-05-27T08:32:24',
    posted: true,
    deletionMark: false,
    dataVersion: 'AAAA',
    marks: {},
    organization: { ref: 'o', code: '', name: 'Наша контора' },
    department: undefined,
    user: { ref: 'u', code: '', name: 'пример п. п.' },
    state,
    amountMinor: 580050,
    comment: 'позвонить',
    reason: '',
    recommendations: 'менять масло',
    recommendedParts: '',
    car: 'Changan',
    carId: 'VIN1',
    client: person,
    lines: [line(), work],
    ...more,
  };
}

function only(plan: Pick<Plan, 'effects'>, kind: string): Record<string, Json> {
  const found = plan.effects.filter((effect) => effect.kind === kind);
  expect(found.map(({ key }) => key)).toHaveLength(1);
  return found[0]?.payload as Record<string, Json>;
}

function payloads(plan: Pick<Plan, 'effects'>, kind: string): Record<string, Json>[] {
  return plan.effects.filter((effect) => effect.kind === kind).map(({ payload }) => payload as Record<string, Json>);
}

/** The links as they stand once the plan is carried out. */
function linksAfter(doc: OnecDocument, given = options()): Map<string, LinkState> {
  const { price, pipelineId, statusId, tags, fields, goods } = only(planDocument(doc, given), 'amocrm.deal');
  const state = JSON.parse(JSON.stringify({ price, pipelineId, statusId, tags, fields })) as Json;
  const link = (key: string, applied: Json): [string, LinkState] => [
    key,
    { key, remoteId: '900', applied, planned: applied, revision: 0 },
  ];
  return new Map([link(DEAL, state), link(GOODS, goods ?? null), link(MARK, { exportedAt: '2025-05-27T09:00:00' })]);
}

/** What changes between two states of a document, its dates saying that it was written since. */
function changesOf(before: OnecDocument, after: OnecDocument, given = options(), history: DocumentHistory = {}) {
  const changes = planDocumentChanges(after, linksAfter(before, given), given, { noted: true, ...history });
  return { changes, deal: changeOf(changes, DEAL), goods: changeOf(changes, GOODS), mark: changeOf(changes, MARK) };
}

function changeOf(changes: readonly Change[], link: string): Change | undefined {
  return changes.find(({ revises }) => revises.link === link);
}

const EXCHANGED = { marks: { exportedAt: '2025-05-27T09:00:00' }, writtenAt: '2025-05-27T09:00:00' };
const WRITTEN = { marks: { exportedAt: '2025-05-27T09:00:00' }, writtenAt: '2025-05-27T10:00:00' };

describe('the plan of a new document', () => {
  test('R10 client, goods, deal, links, then the ids and last the date of the exchange, each needing the ones before', () => {
    const plan = planDocument(document(), options());
    expect(plan.record).toEqual({ kind: 'onec-doc', key: REF });
    expect(plan.since).toBe('2025-05-27T05:32:24.000Z');
    const good = 'amocrm:good:55:MJ1009|MANDO';
    const labour = 'amocrm:good:55:name:замена масла';
    expect(plan.effects.map(({ key, kind, needs }) => ({ key, kind, needs }))).toEqual([
      { key: CONTACT, kind: 'amocrm.contact', needs: [] },
      { key: `onec:id:${CLIENT}`, kind: 'onec.id', needs: [CONTACT] },
      { key: good, kind: 'amocrm.good', needs: [] },
      { key: `onec:id:${FILTER}`, kind: 'onec.id', needs: [good] },
      { key: labour, kind: 'amocrm.good', needs: [] },
      { key: `onec:id:${WORK}`, kind: 'onec.id', needs: [labour] },
      { key: DEAL, kind: 'amocrm.deal', needs: [CONTACT] },
      { key: `amocrm:good-link:onec:${REF}:MJ1009|MANDO`, kind: 'amocrm.good-link', needs: [DEAL, good] },
      { key: `amocrm:good-link:onec:${REF}:name:замена масла`, kind: 'amocrm.good-link', needs: [DEAL, labour] },
      { key: `onec:id:${REF}`, kind: 'onec.id', needs: [DEAL] },
      { key: MARK, kind: 'onec.mark', needs: [DEAL, `onec:id:${REF}`] },
    ]);
  });

  test('R10, R20, R22 the deal: name, whole units, stage, fields with an id and a text, the user of the mapping', () => {
    expect(only(planDocument(document(), options()), 'amocrm.deal')).toEqual({
      name: 'Заказ № ТК000001281 от 27.05.2025 08:32:24',
      price: 5801,
      pipelineId: 8,
      statusId: 81,
      responsibleUserId: 77,
      tags: [],
      fields: { 31: 'ТК000001281', 32: 'менять масло', 33: 'Changan', 34: 'позвонить' },
      contactKey: CONTACT,
      externalId: 'ТК000001281',
      exactName: true,
      goods: { 'MJ1009|MANDO': 1, 'name:замена масла': 0.25 },
      goodsKey: GOODS,
      since: '2025-05-27T05:32:24.000Z',
    });
  });

  test('R24 recommended parts go out only where the mapping names both where they stand and where they go', () => {
    const given = options();
    const named = { ...given.mapping, fields: { ...given.mapping.fields, recommendedParts: 39 } };
    const parts = document({ recommendedParts: 'Ремень ГРМ' });
    expect(given.mapping.documents.workOrder?.recommendedParts).toBeUndefined();
    expect(only(planDocument(parts, given), 'amocrm.deal').fields).not.toHaveProperty('39');
    expect(only(planDocument(parts, { ...given, mapping: named }), 'amocrm.deal').fields).toMatchObject({
      39: 'Ремень ГРМ',
    });
  });

  test('R22 a work order has a name of its own; a user that is not mapped leaves the default', () => {
    const plan = planDocument(document({ type: 'workOrder', user: undefined }), options());
    expect(only(plan, 'amocrm.deal')).toMatchObject({
      name: 'Заказ-наряд № ТК000001281 от 27.05.2025 08:32:24',
      responsibleUserId: 7,
    });
  });

  test('R13, R23 a person: found by amoclient, phones and e-mail; code and car go into a new contact, with the tag', () => {
    const plan = planDocument(document({ client: { ...person, amoId: 12 } }), options());
    expect(only(plan, 'amocrm.contact')).toEqual({
      name: 'Пробный Клиент',
      firstName: 'Клиент',
      lastName: 'Пробный',
      phone: '+70000000001',
      phones: ['+70000000002'],
      email: 'probe@example.org',
      phoneEnum: 'WORK',
      responsibleUserId: 7,
      existing: 12,
      fields: { 41: 'ЦБ000001', 42: 'VIN1' },
      codeField: '41',
      tags: ['контакт загружен из 1С'],
      since: '2025-05-27T05:32:24.000Z',
    });
    expect(payloads(plan, 'onec.id')[0]).toEqual({
      property: 'client',
      set: 'Catalog_Контрагенты',
      object: CLIENT,
      amoKey: CONTACT,
      current: 12,
    });
  });

  test('R14 a company with its people: the deal needs the company alone, the people hang on the company', () => {
    const client: OnecClient = {
      ...person,
      kind: 'company',
      persons: [{ ...person, ref: PERSON, code: 'ЦБ2', phones: [] }],
    };
    const plan = planDocument(document({ client, lines: [] }), options());
    const company = `amocrm:company:onec:${CLIENT}`;
    const contact = `amocrm:contact:onec:${PERSON}`;
    expect(plan.effects.slice(0, 6).map(({ key, needs }) => ({ key, needs }))).toEqual([
      { key: company, needs: [] },
      { key: `onec:id:${CLIENT}`, needs: [company] },
      { key: contact, needs: [company] },
      { key: `amocrm:company-contact:${company}:${contact}`, needs: [company, contact] },
      { key: `onec:id:${PERSON}`, needs: [contact] },
      { key: DEAL, needs: [company] },
    ]);
    expect(only(plan, 'amocrm.company')).toMatchObject({ fields: { 51: 'ЦБ000001' }, codeField: '51' });
    expect(only(plan, 'amocrm.contact')).toMatchObject({ companyKey: company, fields: { 41: 'ЦБ2' } });
  });

  test('a document without a client becomes a deal without a contact', () => {
    const plan = planDocument(document({ client: undefined, lines: [] }), options());
    expect(plan.effects.map(({ kind }) => kind)).toEqual(['amocrm.deal', 'onec.id', 'onec.mark']);
    expect(plan.effects[0]?.needs).toEqual([]);
  });

  test('R15, R16 goods go by article and maker, by article where the maker is unknown, works and the rest by name', () => {
    const lines = [
      line({ amoId: 501 }),
      line({ ref: 'i2', maker: '' }),
      line({ ref: 'i3', article: '', name: 'Ветошь' }),
      work,
    ];
    const goods = payloads(planDocument(document({ lines }), options()), 'amocrm.good');
    expect(
      goods.map(({ identity, match, sku, maker, existing, verify }) => ({
        identity,
        match,
        sku,
        maker,
        existing,
        verify,
      })),
    ).toEqual([
      { identity: 'MJ1009|MANDO', match: 'sku+maker', sku: 'MJ-1009', maker: 'Mando', existing: 501, verify: true },
      { identity: 'MJ-1009', match: 'sku', sku: 'MJ-1009' },
      { identity: 'name:ветошь', match: 'name', sku: '', maker: 'Mando' },
      { identity: 'name:замена масла', match: 'name', sku: '0000000012' },
    ]);
    expect(goods[0]).toMatchObject({ name: 'Фильтр масляный', price: 330.5, unit: 'шт', columns: { sku: 'SKU' } });
  });

  test("R15 by article alone: the same element as Kaspi's goods of the article", () => {
    const plan = planDocument(document({ lines: [line()] }), options({}, { matchItemsBy: 'article' }));
    expect(plan.effects.find(({ kind }) => kind === 'amocrm.good')?.key).toBe('amocrm:good:55:MJ-1009');
  });

  test('R15 where goods are not to be made they must stand there; the deal does not wait for them', () => {
    const plan = planDocument(document(), options({}, { createItems: false }));
    expect(payloads(plan, 'amocrm.good').map(({ mustExist }) => mustExist)).toEqual([true, true]);
    expect(plan.effects.find(({ kind }) => kind === 'amocrm.deal')?.needs).toEqual([CONTACT]);
    expect(payloads(planDocument(document(), options()), 'amocrm.good')[0]).not.toHaveProperty('mustExist');
  });

  test('R17 lines of one thing are summed, without dust; each item of them gets the id', () => {
    const lines = [line({ quantity: 0.1 }), line({ ref: 'i2', article: 'mj 1009', quantity: 0.2 })];
    const plan = planDocument(document({ lines }), options());
    expect(only(plan, 'amocrm.deal').goods).toEqual({ 'MJ1009|MANDO': 0.3 });
    expect(only(plan, 'amocrm.good-link').quantity).toBe(0.3);
    expect(payloads(plan, 'onec.id').map(({ object }) => object)).toEqual([CLIENT, FILTER, 'i2', REF]);
  });

  test('R8 without lists the deal goes without goods', () => {
    const plan = planDocument(document(), options({ catalogId: undefined }));
    expect(plan.effects.map(({ kind }) => kind)).toEqual([
      'amocrm.contact',
      'onec.id',
      'amocrm.deal',
      'onec.id',
      'onec.mark',
    ]);
    expect(only(plan, 'amocrm.deal')).toMatchObject({ goods: {}, goodsKey: GOODS });
  });

  test('R8 once lists are there, the next change of the document puts its goods on the deal', () => {
    const without = linksAfter(document(), options({ catalogId: undefined }));
    const goods = changeOf(planDocumentChanges(document(WRITTEN), without, options(), { noted: true }), GOODS);
    expect(goods?.effect?.payload).toMatchObject({ to: { 'MJ1009|MANDO': 1, 'name:замена масла': 0.25 }, ours: [{}] });
    expect(goods?.extra?.map(({ kind }) => kind)).toContain('amocrm.good');
  });

  test('R19 a state without a row: the first stage of the pipeline, and people are told', () => {
    const doc = document({ state: { ref: 's', code: '', name: 'Ожидает' } });
    const deal = only(planDocument(doc, options()), 'amocrm.deal');
    expect([deal.pipelineId, deal.statusId]).toEqual([5, undefined]);
    expect(only(planDocument(doc, options({ pipelineId: undefined })), 'amocrm.deal').pipelineId).toBe(8);
    expect(stagelessState(doc, options())).toEqual({
      subject: 'onec.statuses:ожидает',
      message: 'onec.statuses: no row for the state "Ожидает"; deals keep their stage',
    });
    expect(stagelessState(document(), options())).toBeUndefined();
    expect(stagelessState(document({ state: undefined }), options())).toBeUndefined();
  });

  test('R21 long recommendations go into a note that is named by their text, and not into the field', () => {
    const doc = document({ recommendations: 'м'.repeat(251) });
    const plan = planDocument(doc, options());
    expect(only(plan, 'amocrm.deal').fields).not.toHaveProperty('32');
    const note = plan.effects.find(({ kind }) => kind === 'amocrm.note');
    expect(note?.key).toMatch(new RegExp(`^amocrm:note:onec:${REF}:recommendations-[0-9a-f]{8}$`));
    expect(note?.needs).toEqual([DEAL]);
    const other = planDocument(document({ recommendations: 'н'.repeat(251) }), options());
    expect(other.effects.find(({ kind }) => kind === 'amocrm.note')?.key).not.toBe(note?.key);
    expect(payloads(planDocument(document({ recommendations: 'м'.repeat(250) }), options()), 'amocrm.note')).toEqual(
      [],
    );
  });

  test('R12 the date of the exchange is not before the time of writing', () => {
    const doc = document({ writtenAt: '2025-05-28T00:00:01' });
    expect(only(planDocument(doc, options()), 'onec.mark')).toEqual({
      set: 'Document_ЗаказПокупателя',
      object: REF,
      exportedAt: true,
      notBefore: '2025-05-28T00:00:01',
    });
    expect(only(planDocument(document(), options()), 'onec.mark').notBefore).toBe('2025-05-27T08:32:24');
  });

  test('a document dated ahead is looked for further back than now', () => {
    expect(planDocument(document({ date: '2025-07-01T00:00:00' }), options()).since).toBe('2025-06-03T12:00:00.000Z');
  });

  test('the keys do not depend on anything that may change', () => {
    const keysOf = (doc: OnecDocument) => planDocument(doc, options()).effects.map(({ key }) => key);
    const changed = document({
      number: 'X',
      date: '2025-06-01T00:00:00',
      amountMinor: 1,
      state: undefined,
      comment: '',
    });
    expect(keysOf(changed)).toEqual(keysOf(document()));
  });
});

describe('the changes of a document whose deal stands', () => {
  test('R11 nothing new: no effect at all', () => {
    expect(changesOf(document(), document(EXCHANGED)).changes).toEqual([]);
  });

  test('R11, R12 written since, but with nothing that a deal shows: the date of the exchange alone', () => {
    const { changes, mark } = changesOf(document(), document(WRITTEN));
    expect(changes).toHaveLength(1);
    expect(mark?.effect).toMatchObject({ key: `${MARK}#1`, kind: 'onec.mark', needs: [] });
    expect(mark?.effect?.payload).toMatchObject({ object: REF, exportedAt: true, notBefore: '2025-05-27T10:00:00' });
  });

  test('R11 sum, stage and field: one change of the deal, then the date, which needs it', () => {
    const state = { ref: 's', code: '', name: 'в работе' };
    const { changes, deal, mark } = changesOf(
      document(),
      document({ ...WRITTEN, amountMinor: 600000, state, reason: 'стук' }),
    );
    expect(changes).toHaveLength(2);
    expect(deal?.effect).toMatchObject({ key: `${DEAL}#1`, kind: 'amocrm.deal-update', needs: [DEAL] });
    expect(deal?.effect?.payload).toMatchObject({
      to: { price: 6000, pipelineId: 8, statusId: 83, fields: { 35: 'стук', 33: 'Changan' } },
      ours: [{ price: 5801, statusId: 81 }],
      equalStages: [{ pipelineId: 8, statusId: 83 }],
      sourceWins: true,
    });
    expect(mark?.effect?.needs).toEqual([`${DEAL}#1`]);
  });

  test('R18 the deal is left in another stage of the same state', () => {
    const links = linksAfter(document());
    const deal = links.get(DEAL) as LinkState;
    const moved = { ...(deal.planned as object), statusId: 82 } as Json;
    links.set(DEAL, { ...deal, planned: moved, applied: moved });
    expect(planDocumentChanges(document(EXCHANGED), links, options())).toEqual([]);
    const [change] = planDocumentChanges(document({ ...WRITTEN, amountMinor: 100 }), links, options());
    expect(change?.effect?.payload).toMatchObject({
      to: { statusId: 82 },
      equalStages: [
        { pipelineId: 8, statusId: 81 },
        { pipelineId: 8, statusId: 82 },
      ],
    });
  });

  test('R19 a state without a row leaves the stage', () => {
    const state = { ref: 's', code: '', name: 'Ожидает' };
    expect(changesOf(document(), document({ ...EXCHANGED, state })).changes).toEqual([]);
  });

  test('R11 a field emptied in 1C is emptied, and stays so', () => {
    const { deal } = changesOf(document(), document({ ...WRITTEN, comment: '' }));
    expect(deal?.effect?.payload).toMatchObject({ to: { fields: { 34: '' } } });
    const links = linksAfter(document());
    const planned = deal?.revises.planned ?? null;
    links.set(DEAL, { ...(links.get(DEAL) as LinkState), planned, applied: planned, revision: 1 });
    expect(planDocumentChanges(document({ ...EXCHANGED, comment: '' }), links, options())).toEqual([]);
  });

  test('R17 quantities: the whole list is asked for, what we linked is told, links not made yet are needless', () => {
    const added = line({ ref: 'i9', article: 'NEW1', maker: 'Slon' });
    const { changes, goods, mark } = changesOf(
      document(),
      document({ ...WRITTEN, lines: [line({ quantity: 3 }), added] }),
    );
    expect(changes).toHaveLength(2);
    expect(goods?.revises).toMatchObject({
      revision: 1,
      planned: { 'MJ1009|MANDO': 3, 'NEW1|SLON': 1 },
      supersedes: [`amocrm:good-link:onec:${REF}:MJ1009|MANDO`, `amocrm:good-link:onec:${REF}:name:замена масла`],
    });
    expect(goods?.effect?.payload).toMatchObject({
      to: { 'MJ1009|MANDO': 3, 'NEW1|SLON': 1 },
      ours: [{ 'MJ1009|MANDO': 1, 'name:замена масла': 0.25 }],
    });
    expect(goods?.extra?.map(({ key }) => key)).toContain('amocrm:good:55:NEW1|SLON');
    expect(mark?.effect?.needs).toEqual([`${GOODS}#1`]);
  });

  test('R15 goods that amoCRM lacks and that are not to be made hold nothing up, and are asked for again', () => {
    const given = options();
    given.mapping = { ...given.mapping, export: { ...given.mapping.export, createItems: false } };
    const { goods } = changesOf(document(), document({ ...WRITTEN, lines: [line({ quantity: 3 }), work] }), given);
    expect(goods?.effect?.needs).toEqual([DEAL]);
    const links = linksAfter(document(), given);
    const lacking = links.get(GOODS) as LinkState;
    links.set(GOODS, { ...lacking, applied: { 'MJ1009|MANDO': 1 } });
    const again = changeOf(planDocumentChanges(document(WRITTEN), links, given, { noted: true }), GOODS);
    expect(again?.effect?.payload).toMatchObject({ ours: [{ 'MJ1009|MANDO': 1 }], mayLack: true });
  });

  test('R17 all lines deleted in 1C: all of ours come off', () => {
    const { goods } = changesOf(document(), document({ ...WRITTEN, lines: [] }));
    expect(goods?.effect?.payload).toMatchObject({ to: {} });
  });

  test('R17 the order of lines is no change', () => {
    expect(changesOf(document(), document({ ...EXCHANGED, lines: [work, line()] })).changes).toEqual([]);
  });

  test('R21 new long recommendations are noted once: the note goes along, the old short text leaves the field', () => {
    const long = document({ ...WRITTEN, recommendations: 'м'.repeat(300) });
    const { deal } = changesOf(document(), long, options(), { noted: false });
    expect(deal?.extra?.map(({ kind }) => kind)).toEqual(['amocrm.note']);
    expect(deal?.revises.planned).toMatchObject({ fields: { 32: '' } });
    const before = document({ recommendations: 'н'.repeat(300) });
    const next = changesOf(before, { ...long, ...EXCHANGED }, options(), { noted: false });
    expect(next.deal).toMatchObject({ effect: undefined, extra: [{ kind: 'amocrm.note' }] });
    expect(changesOf(before, { ...long, ...EXCHANGED }, options(), { noted: true }).changes).toEqual([]);
  });

  test('R34, R38 exchanged and never compared here: what 1C says is the baseline, and nothing is sent', () => {
    const imported = document({ ...EXCHANGED, amountMinor: 100, lines: [line()] });
    const { changes } = changesOf(document(), imported, options(), { baseline: true });
    expect(changes.map(({ effect, extra = [] }) => [effect, extra])).toEqual([
      [undefined, []],
      [undefined, []],
    ]);
    expect(changes[0]?.revises.planned).toMatchObject({ price: 1 });
    expect(changes[1]?.revises.planned).toEqual({ 'MJ1009|MANDO': 1 });
  });

  test('R38 a state that an import has written is not sent back: the stage counts as what stood there', () => {
    const state = { ref: 's', code: '', name: 'В работе' };
    const after = document({ ...WRITTEN, state });
    const { deal } = changesOf(document(), after, options(), { importedState: 'В РАБОТЕ' });
    expect(deal?.effect?.payload).toMatchObject({ to: { statusId: 83 }, ours: [{ statusId: 83, price: 5801 }] });
    const byPeople = changesOf(document(), after, options(), { importedState: 'Заявка' });
    expect(byPeople.deal?.effect?.payload).toMatchObject({ to: { statusId: 83 }, ours: [{ statusId: 81 }] });
  });

  test('a change taken back before it was begun sends nothing; one under way goes first', () => {
    const links = linksAfter(document());
    const deal = links.get(DEAL) as LinkState;
    const pending = { ...deal, planned: { ...(deal.planned as object), price: 1 } as Json, revision: 1 };
    const back = planDocumentChanges(document(EXCHANGED), new Map([...links, [DEAL, pending]]), options());
    expect(changeOf(back, DEAL)).toMatchObject({ effect: undefined, revises: { revision: 2 } });
    const payload = { to: { price: 1, tags: [], fields: {} } };
    const underWay = { ...pending, underWay: { key: `${DEAL}#1`, payload } };
    const next = planDocumentChanges(document(EXCHANGED), new Map([...links, [DEAL, underWay]]), options());
    expect(changeOf(next, DEAL)?.effect).toMatchObject({ needs: [DEAL, `${DEAL}#1`] });
  });

  test('without the link of the mark, or with lists switched off, the rest goes on', () => {
    const links = linksAfter(document());
    links.delete(MARK);
    const after = document({ ...WRITTEN, amountMinor: 100, lines: [] });
    expect(
      planDocumentChanges(after, links, options({ catalogId: undefined })).map(({ revises }) => revises.link),
    ).toEqual([DEAL]);
  });
});
