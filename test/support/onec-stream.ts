import { onecExport } from '../../src/jobs/onec-export.ts';
import { onecImport } from '../../src/jobs/onec-import.ts';
import type { OnecOptions, OnecStandin } from '../../src/sandbox/onec.ts';
import type { Scene } from './cut-loop.ts';
import type { World, WorldOptions } from './world.ts';

export const EXPORT = { job: onecExport };
export const IMPORT = { job: onecImport };

/** The stages of the car service's pipeline in the amoCRM stand-in. */
const PIPELINE = 8266734;
export const STAGES = {
  request: 67494164,
  begin: 67489658,
  inWork: 67458414,
  placed: 67458418,
  unplaced: 67490750,
  awaited: 67458422,
  ready: 67489674,
} as const;

/** The mapping of a car service; the goods catalog has a column for makers. */
export const ONEC_MAPPING = `onec:
  preset: alfa-auto-6
  statuses:
    - { pipeline: ${PIPELINE}, status: ${STAGES.request}, state: "Заявка" }
    - { pipeline: ${PIPELINE}, status: ${STAGES.begin}, state: "Начать работу" }
    - { pipeline: ${PIPELINE}, status: ${STAGES.inWork}, state: "В работе" }
    - { pipeline: ${PIPELINE}, status: ${STAGES.placed}, state: "Размещен" }
    - { pipeline: ${PIPELINE}, status: ${STAGES.unplaced}, state: "Не размещен" }
    - { pipeline: ${PIPELINE}, status: ${STAGES.awaited}, state: "Ожидает поставки" }
    - { pipeline: ${PIPELINE}, status: ${STAGES.ready}, state: "Готов к отгрузке" }
  fields: { number: 528943, recommendations: 805499, reason: 805501, comment: 528957, contact_code: 786089 }
  catalog: { maker: MAKER }
  export: { long_text_over: 40 }
  defaults:
    { repairKind: { code: "00000003" }, author: { description: "Обмен" }, unit: { set: Catalog_ЕдиницыИзмерения, description: "шт" } }
`;

export const WORK_ORDER = 'Document_ЗаказНаряд';
export const CUSTOMER_ORDER = 'Document_ЗаказПокупателя';
const REQUEST = 'Document_ЗаявкаНаРемонт';
const SUMMARY = 'Document_СводныйРемонтныйЗаказ';
const CLIENTS = 'Catalog_Контрагенты';
const CONTRACTS = 'Catalog_ДоговорыВзаиморасчетов';
const ITEMS = 'Catalog_Номенклатура';
const WORKS = 'Catalog_Автоработы';
const STATES = 'Catalog_ВидыСостоянийЗаказНарядов';
const JOURNAL = 'InformationRegister_ЖурналСостояний';

export interface StreamOptions {
  onec?: Partial<OnecOptions>;
  env?: Record<string, string>;
  amo?: WorldOptions['amo'];
}

function optionsOf({ onec = {}, env = {}, amo = {} }: StreamOptions): WorldOptions {
  return {
    orders: 'first',
    mapping: ONEC_MAPPING,
    onec,
    amo,
    env: { AMO_PIPELINE_ID: String(PIPELINE), AMO_STATUS_ID: String(STAGES.request), ...env },
  };
}

/** The column of makers, as an operator makes it by hand. */
async function addMakers({ amo }: World): Promise<void> {
  const answer = await fetch(`${amo.url}/api/v4/catalogs/5501/custom_fields`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${amo.standin.credentials().long_lived_token}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify([{ name: 'Производитель', type: 'text', code: 'MAKER' }]),
  });
  if (!answer.ok) throw new Error(`the column of makers was refused: ${await answer.text()}`);
}

type Row = Record<string, unknown>;

function rowsOf(base: OnecStandin, set: string, ref: string): Row[] {
  return (base.entity(set, ref)?.Товары ?? []) as Row[];
}

function documentsOf(base: OnecStandin, set: string): Row[] {
  return base.entities(set).sort((a, b) => (String(a.Date) + a.Number < String(b.Date) + b.Number ? -1 : 1));
}

export function refAt(base: OnecStandin, set: string, index: number): string {
  const found = documentsOf(base, set)[index];
  if (!found) throw new Error(`1C has no document ${index} of ${set}`);
  return String(found.Ref_Key);
}

/**
 * Three work orders and three customer orders of one morning: of a person, of a company with a contact person and of a
 * sole trader, two each; one with a long recommendation; two items of one article, by two makers.
 */
function fillBase(base: OnecStandin): void {
  const model = base.entity(ITEMS, base.ref(ITEMS, 'Фильтр масляный CHANGAN')) ?? {};
  const twin = {
    ...model,
    ...{ Ref_Key: '00000000-0000-4000-8000-00000000aaaa', DataVersion: '', Code: '00000000777' },
    ...{ Description: 'Фильтр масляный, другой', Производитель_Key: base.ref('Catalog_Производители', 'SLON') },
  };
  base.seed({ items: [twin], generate: { workOrders: 3, customerOrders: 3 } });
  const first = refAt(base, WORK_ORDER, 0);
  const rows = rowsOf(base, WORK_ORDER, first);
  base.edit({
    set: WORK_ORDER,
    ref: first,
    changes: {
      Рекомендации: 'Заменить ступицу при следующем обслуживании, не позднее осени',
      Товары: [...rows, { ...rows[0], LineNumber: '3', Номенклатура_Key: twin.Ref_Key, Количество: 4 }],
    },
  });
}

/** What people of the firm did in 1C afterwards: states, quantities, goods gone and new, a text, another order. */
function workInOnec(base: OnecStandin): void {
  const order = refAt(base, WORK_ORDER, 0);
  const [first, , third] = rowsOf(base, WORK_ORDER, order);
  base.edit({
    set: WORK_ORDER,
    ref: order,
    changes: {
      Состояние_Key: base.ref(STATES, 'НачатьРаботу'),
      Рекомендации: 'Коротко',
      Товары: [
        { ...first, Количество: 5, Сумма: 1650, СуммаВсего: 1650 },
        { ...third, LineNumber: '2', Номенклатура_Key: base.ref(ITEMS, 'Горловина радиатора') },
      ],
    },
  });
  base.edit({
    set: WORK_ORDER,
    ref: refAt(base, WORK_ORDER, 1),
    changes: { Рекомендации: 'Проверить давление в шинах и уровень всех жидкостей', Комментарий: 'Срочно' },
  });
  moveOrder(base, refAt(base, CUSTOMER_ORDER, 0), 'ОжидаетПоставки');
  const sole = refAt(base, CUSTOMER_ORDER, 2);
  base.edit({
    set: CUSTOMER_ORDER,
    ref: sole,
    changes: { Товары: [{ ...rowsOf(base, CUSTOMER_ORDER, sole)[0], Количество: 7, Сумма: 3500, СуммаВсего: 3500 }] },
  });
}

/** A customer order's state stands in the journal alone; saving the order afterwards is what 1C counts as a change. */
function moveOrder(base: OnecStandin, ref: string, state: string): void {
  const order = base.entity(CUSTOMER_ORDER, ref);
  base.seed({
    entities: {
      [JOURNAL]: [
        {
          Period: order?.Date,
          Объект: ref,
          Объект_Type: `StandardODATA.${CUSTOMER_ORDER}`,
          Состояние: base.ref(STATES, state),
          Состояние_Type: `StandardODATA.${STATES}`,
        },
      ],
    },
  });
  base.edit({ set: CUSTOMER_ORDER, ref, changes: { Комментарий: `состояние: ${state}` } });
}

/** New documents of 1C, and the export that is to bring them into amoCRM. */
export function newDocuments(options: StreamOptions = {}): Scene {
  return {
    options: optionsOf(options),
    run: EXPORT,
    seen,
    prepare: async (one) => {
      await addMakers(one);
      fillBase(one.onec().standin);
    },
  };
}

/** Documents that were exported, and have changed since. */
export function changedDocuments(options: StreamOptions = {}): Scene {
  const fresh = newDocuments(options);
  return {
    ...fresh,
    prepare: async (one) => {
      await fresh.prepare(one);
      await one.settle({ jobs: [EXPORT] });
      one.clock.advance(10 * 60_000);
      workInOnec(one.onec().standin);
    },
  };
}

const NEW_CLIENT = 'Иван Проверкин';

/**
 * Deals that are to become documents: two of one new client, with goods and works known and new; one of a client whom 1C
 * knows by the phone, with goods alone; one of a company; one at a stage that has no state.
 */
function fillAccount({ amo }: World): void {
  const { add } = amo.standin;
  const { contacts, companies, elements } = add({
    contacts: [
      { name: NEW_CLIENT, first_name: 'Иван', last_name: 'Проверкин', phones: ['8 (901) 555-00-01'] },
      { name: 'Пётр', phones: ['+79000000001'] },
    ],
    companies: [{ name: 'ООО «Новая»', phones: ['+7 902 555 00 02'] }],
    elements: [
      { name: 'Фильтр масляный', sku: 'MJ1009', price: 330, custom_fields: { [makerField(amo)]: 'Mando' } },
      { name: 'Замена масла', price: 1000 },
      { name: 'Свеча', sku: 'SV-1', price: 250.5, custom_fields: { [makerField(amo)]: 'MILES' } },
      { name: 'Чистка форсунок', sku: 'CHF-7', price: 1500 },
    ],
  });
  const [fresh = 0, known = 0] = contacts;
  const [filter = 0, oil = 0, plug = 0, nozzles = 0] = elements;
  const goods = (...ids: number[]) => ids.map((id, index) => ({ id, quantity: index + 1 }));
  const at = (status_id: number) => ({ pipeline_id: PIPELINE, status_id });
  add({
    deals: [
      {
        name: 'Ремонт',
        price: 5000,
        ...at(STAGES.inWork),
        contacts: [fresh],
        elements: goods(filter, oil, plug, nozzles),
      },
      { name: 'Масло', price: 1000, ...at(STAGES.request), contacts: [fresh], elements: goods(oil, filter) },
      { name: 'Заказ деталей', price: 580, ...at(STAGES.placed), contacts: [known], elements: goods(filter, plug) },
      { name: 'Запчасти фирме', price: 700, ...at(STAGES.ready), companies, elements: goods(plug) },
      { name: 'Не сюда', price: 1, ...at(142), contacts: [fresh] },
    ],
  });
}

const makers = new WeakMap<object, number>();

/** The id that the stand-in has given the column of makers. */
function makerField({ standin }: World['amo']): number {
  return makers.get(standin) ?? 0;
}

async function findMakers({ amo }: World): Promise<void> {
  const answer = await fetch(`${amo.url}/api/v4/catalogs/5501/custom_fields`, {
    headers: { authorization: `Bearer ${amo.standin.credentials().long_lived_token}` },
  });
  const { _embedded } = (await answer.json()) as { _embedded: { custom_fields: { id: number; code: string }[] } };
  makers.set(amo.standin, _embedded.custom_fields.find(({ code }) => code === 'MAKER')?.id ?? 0);
}

export function dealIdOf(one: World, name: string): number {
  const found = one.amo.standin.deals().filter((deal) => deal.name === name);
  if (found.length !== 1) throw new Error(`${found.length} deals are called ${name}`);
  return found[0]?.id ?? 0;
}

/** What managers did afterwards: new stages. */
export function workInAmo(one: World): void {
  const move = (name: string, status_id: number) => one.amo.standin.edit({ lead: dealIdOf(one, name) }, { status_id });
  move('Ремонт', STAGES.begin);
  move('Масло', STAGES.inWork);
  move('Заказ деталей', STAGES.awaited);
}

/** New deals of amoCRM, and the import that is to bring them into 1C. */
export function newDeals(options: StreamOptions = {}): Scene {
  return {
    options: optionsOf(options),
    run: IMPORT,
    seen,
    prepare: async (one) => {
      await addMakers(one);
      await findMakers(one);
      fillAccount(one);
    },
  };
}

/** Deals that were imported, and have moved on since. */
export function movedDeals(options: StreamOptions = {}): Scene {
  const fresh = newDeals(options);
  return {
    ...fresh,
    prepare: async (one) => {
      await fresh.prepare(one);
      await one.settle({ jobs: [IMPORT] });
      one.clock.advance(10 * 60_000);
      workInAmo(one);
    },
  };
}

/** What both sides hold, by names; doubles show. */
export async function seen(one: World): Promise<unknown> {
  return { crm: crmOf(one), base: baseOf(one), told: await toldOf(one) };
}

function crmOf(one: World) {
  const { deals, contacts, companies } = one.amo.standin.snapshot();
  const companyNames = new Map(companies.map(({ id, name }) => [id, name]));
  const namesOf = (ids: readonly number[]) => ids.map((id) => companyNames.get(id)).sort();
  return {
    ...one.outcome(),
    dealCompanies: deals.map(({ name, companies: ids }) => `${name}: ${namesOf(ids)}`).sort(),
    people: contacts
      .map(({ name, emails, tags, custom_fields, companies: ids }) => ({
        ...{ name, emails, tags, custom_fields, companies: namesOf(ids) },
      }))
      .sort(byText),
    companies: companies.map(({ name, phones, tags }) => ({ name, phones, tags })).sort(byText),
  };
}

function baseOf(one: World) {
  const base = one.onec().standin;
  const crm = one.amo.standin.snapshot();
  const nameOf = (set: string, ref: unknown) => String(base.entity(set, String(ref))?.Description ?? '');
  const dealName = (id: string | undefined) => crm.deals.find((deal) => String(deal.id) === id)?.name ?? id;
  const clientNames = new Map([...crm.contacts, ...crm.companies].map((card) => [String(card.id), card.name]));
  const elementNames = new Map(crm.elements.map(({ id, sku, name }) => [String(id), `${sku}: ${name}`]));
  const lines = (rows: unknown, set: string, column: string) =>
    ((rows ?? []) as Row[]).map((row) => `${nameOf(set, row[column])} × ${row.Количество} × ${row.Цена}`);
  const exported = (set: string, ref: string) => {
    const [at, written] = ['Дата выгрузки на сайт', 'Дата записи'].map((name) => base.mark(set, ref, name));
    return at === undefined ? 'never' : at >= (written ?? '') ? 'since the last write' : 'before the last write';
  };
  const document = (set: string) => (entity: Row) => {
    const ref = String(entity.Ref_Key);
    return {
      set,
      client: nameOf(CLIENTS, entity.Контрагент_Key ?? entity.Заказчик_Key),
      comment: String(entity.Комментарий).replace(/\d{4,}/g, (id) => String(dealName(id))),
      posted: entity.Posted,
      sum: entity.СуммаДокумента ?? null,
      state: nameOf(STATES, entity.Состояние_Key),
      base: dealOfBase(base, entity),
      goods: lines(entity.Товары, ITEMS, 'Номенклатура_Key'),
      works: lines(entity.Автоработы, WORKS, 'Авторабота_Key'),
      deal: dealName(base.mark(set, ref, 'amolead')) ?? null,
      exported: exported(set, ref),
      updated: set === REQUEST || set === SUMMARY ? false : base.mark(set, ref, 'Дата обновления') !== undefined,
      journal: statesOf(base, ref),
    };
  };
  return {
    documents: [REQUEST, SUMMARY, WORK_ORDER, CUSTOMER_ORDER]
      .flatMap((set) => base.entities(set).map(document(set)))
      .sort(byText),
    clients: base
      .entities(CLIENTS)
      .map((client) => ({
        name: client.Description,
        form: client.ФормаСобственности,
        phones: ((client.КонтактнаяИнформация ?? []) as Row[]).map((row) => row.Представление),
        amo: clientNames.get(base.mark(CLIENTS, String(client.Ref_Key), 'amoclient') ?? '') ?? null,
      }))
      .sort(byText),
    contracts: base
      .entities(CONTRACTS)
      .map(({ Owner_Key }) => nameOf(CLIENTS, Owner_Key))
      .sort(),
    things: [ITEMS, WORKS]
      .flatMap((set) =>
        base.entities(set).map((thing) => ({
          name: thing.Description,
          article: thing.Артикул,
          amo: elementNames.get(base.mark(set, String(thing.Ref_Key), 'amocatalog') ?? '') ?? null,
        })),
      )
      .sort(byText),
  };
}

/** Whose the document is that this one is based on, by the marker in its comment. */
function dealOfBase(base: OnecStandin, { ДокументОснование: ref, ДокументОснование_Type: type, Комментарий }: Row) {
  const set = String(type).slice('StandardODATA.'.length);
  if (typeof ref !== 'string' || !set.startsWith('Document_')) return null;
  const other = base.entity(set, ref);
  return `${set} ${other === undefined ? 'is gone' : other.Комментарий === Комментарий ? 'of the same deal' : 'of another'}`;
}

/** The states through which a document went after its birth, as the journal has them: one record a second. */
function statesOf(base: OnecStandin, ref: string): string[] {
  return base
    .entities(JOURNAL)
    .filter((record) => record.Объект === ref)
    .sort((a, b) => (String(a.Period) < String(b.Period) ? -1 : 1))
    .map((record) => String(base.entity(STATES, String(record.Состояние))?.Description))
    .filter((state) => state !== 'Заявка');
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/** What people were told of the records themselves; alerts of a fault come and go. */
async function toldOf(one: World): Promise<string[]> {
  const rows = await one.database.db.selectFrom('alerts').select(['kind', 'subject']).execute();
  const lasting = ['conflict', 'deal_gone', 'document_gone', 'mapping', 'onec_lines', 'goods_off'];
  return rows
    .filter(({ kind }) => lasting.includes(kind))
    .map(({ kind, subject }) => `${kind} ${subject}`)
    .sort();
}

/** The writes that reached either side since the journals were cleared. */
export function writesOf(one: World): string[] {
  const entries = [...one.amo.journal, ...one.onec().journal];
  return entries.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${decodeURI(path)}`);
}

export function clearJournals(one: World): void {
  one.amo.journal.length = 0;
  one.onec().journal.length = 0;
}

/** After a stream has come to rest the other one runs over what it made; what that writes to its target must be as in a calm run. */
export function thenOther(scene: Scene, other: { job: typeof onecExport | typeof onecImport }, target: RegExp): Scene {
  return {
    ...scene,
    seen: async (one) => {
      const own = await seen(one);
      clearJournals(one);
      one.clock.advance(60_000);
      const { exit } = await one.run(other);
      return { own, exit, written: writesOf(one).filter((line) => target.test(line)), after: await seen(one) };
    },
  };
}
