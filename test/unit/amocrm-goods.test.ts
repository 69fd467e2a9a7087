import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GoodPayload, goodEffect, keys } from '../../src/systems/amocrm/effects/payloads.ts';
import { type AmoScene, amoScene } from '../support/amo-scene.ts';

let scene: AmoScene;
/** Custom fields of the catalog for the maker and, as a list of choices, the unit. */
let maker: number;
let unit: number;

beforeEach(async () => {
  scene = await amoScene();
  maker = await scene.addField(`catalogs/${CATALOG}`, { name: 'Бренд', type: 'text' });
  const enums = ['шт', 'кг'].map((value, sort) => ({ value, sort }));
  unit = await scene.addField(`catalogs/${CATALOG}`, { name: 'Ед.', type: 'select', enums });
});
afterEach(() => scene.close());

const CATALOG = 5501;
const record = { kind: 'onec-document', key: 'Заказ 1' };
const writes = (requests: readonly string[]) => requests.filter((request) => request.startsWith('POST'));

function good(identity: string, payload: Partial<GoodPayload>) {
  const columns = { maker: String(maker), unit: String(unit) };
  return goodEffect(record, { catalogId: CATALOG, sku: '', name: `Товар ${identity}`, identity, columns, ...payload });
}
const idOf = (identity: string) => scene.idOf(keys.good(CATALOG, identity));

/** An element that stands; its id. */
function stands(sku: string | undefined, name: string, brand?: string): number {
  const fields = brand === undefined ? {} : { custom_fields: { [maker]: brand } };
  return scene.standin.add({ elements: [{ name, ...(sku === undefined ? {} : { sku }), ...fields }] }).elements[0] ?? 0;
}

describe('an element is known', () => {
  test('by article and maker: the article in its search form, the maker whatever its case', async () => {
    stands('DB-83034', 'Чужой', 'TRW');
    const wanted = stands('db 83.034', 'Ступица', 'Miles');
    const { requests } = await scene.deliver([
      good('DB83034|MILES', { match: 'sku+maker', sku: 'DB83034', maker: 'MILES' }),
      good('DB83034|', { match: 'sku+maker', sku: 'DB83034' }),
    ]);
    expect(await idOf('DB83034|MILES')).toBe(wanted);
    // The one without a maker is another thing.
    expect(writes(requests)).toEqual([`POST /catalogs/${CATALOG}/elements`]);
    expect(scene.standin.elements(CATALOG)).toHaveLength(3);
  });

  test('by article alone as it is spelt', async () => {
    stands('DB-83034', 'Другой');
    const wanted = stands('DB83034', 'Этот');
    await scene.deliver([good('DB83034', { match: 'sku', sku: 'DB83034', maker: 'MILES' })]);
    expect(await idOf('DB83034')).toBe(wanted);
  });

  test('by its name, case and blanks folded', async () => {
    const wanted = stands(undefined, ' Замена  МАСЛА ');
    await scene.deliver([good('name:замена масла', { match: 'name', name: 'Замена масла', sku: 'W01' })]);
    expect(await idOf('name:замена масла')).toBe(wanted);
  });

  test('all ways from one walk; with a catalog that was walked before by search', async () => {
    const found = [stands('A1', 'a'), stands('B 2', 'b', 'Bosch'), stands(undefined, 'Мойка')];
    const walked = await scene.deliver([
      good('A1', { sku: 'A1' }),
      good('B2|BOSCH', { match: 'sku+maker', sku: 'B2', maker: 'Bosch' }),
      good('name:мойка', { match: 'name', name: 'мойка' }),
    ]);
    expect(walked.requests.filter((request) => request.endsWith('/elements'))).toHaveLength(1);
    expect([await idOf('A1'), await idOf('B2|BOSCH'), await idOf('name:мойка')]).toEqual(found);
    scene.standin.add({ generate: { elements: 600 } });
    await scene.parts().memory.setFact(`amo_catalog:${CATALOG}`, '3');
    const later = stands('C3', 'Поздний', 'Bosch');
    const { requests } = await scene.deliver([
      good('C3|BOSCH', { match: 'sku+maker', sku: 'C-3', maker: 'BOSCH' }),
      good('name:балансировка', { match: 'name', name: 'Балансировка' }),
    ]);
    expect(await idOf('C3|BOSCH')).toBe(later);
    // Two spellings, one name, one element to be made.
    expect(requests.map((request) => request.split(' ')[0])).toEqual(['GET', 'GET', 'GET', 'POST']);
  });
});

describe('an element that the source names', () => {
  test('is trusted without a question', async () => {
    const { requests } = await scene.deliver([good('A1', { sku: 'A1', existing: 4711 })]);
    expect(requests).toEqual([]);
    expect(await idOf('A1')).toBe(4711);
  });

  test('is read where it is to be verified: 251 in two questions', async () => {
    const { elements } = scene.standin.add({ generate: { elements: 251 } });
    const effects = elements.map((existing, at) => good(`N${at}`, { sku: `N${at}`, existing, verify: true }));
    const { requests } = await scene.deliver(effects);
    expect(requests).toHaveLength(2);
    expect(await idOf('N250')).toBe(elements[250]);
  });

  test('is found by its article where it is gone, also when it was trusted until its link was refused', async () => {
    const gone = stands('X', 'Был');
    const wanted = stands('A1', 'Есть');
    scene.standin.remove({ element: gone });
    await scene.deliver([good('A1', { sku: 'A1', existing: gone, verify: true })]);
    expect(await idOf('A1')).toBe(wanted);
    // Renewed after a refusal, it is looked for first.
    await scene.deliver([good('B1', { sku: 'B1', existing: gone })], true);
    expect(await idOf('B1')).not.toBe(gone);
    expect(scene.standin.elements(CATALOG).map(({ sku }) => sku)).toEqual(['A1', 'B1']);
  });
});

describe('an element', () => {
  test('is made with article, price, maker and unit in the columns that are named', async () => {
    const price = await scene.addField(`catalogs/${CATALOG}`, { name: 'Цена 1С', type: 'price', code: 'ONEC_PRICE' });
    const columns = { sku: '700001', price: 'ONEC_PRICE', maker: String(maker), unit: String(unit) };
    await scene.deliver([good('A1', { sku: 'A1', price: 5800, maker: 'MILES', unit: 'шт', columns })]);
    const [made] = (await scene.parts().client.listElements(CATALOG, { page: 1 })).rows;
    const shown = Object.fromEntries((made?.fields ?? []).map(({ fieldId, values }) => [fieldId, values[0]?.value]));
    expect(shown).toMatchObject({ 700001: 'A1', [maker]: 'MILES', [unit]: 'шт' });
    expect(Number(shown[price])).toBe(5800);
  });

  test('is made without a unit that the catalog does not know, and that is told', async () => {
    await scene.deliver([
      good('A1', { sku: 'A1', unit: 'компл', maker: 'MILES' }),
      good('B1', { sku: 'B1', unit: 'кг' }),
    ]);
    expect(
      scene.standin
        .elements(CATALOG)
        .map(({ sku }) => sku)
        .sort(),
    ).toEqual(['A1', 'B1']);
    expect(await scene.alerts()).toEqual([{ kind: 'mapping', subject: `amocrm:field ${unit}` }]);
  });

  test('that must stand already is not made', async () => {
    const { requests, counts } = await scene.deliver([good('A1', { sku: 'A1', mustExist: true })]);
    expect(writes(requests)).toEqual([]);
    expect(counts.failed).toBe(1);
  });
});

describe('lists of goods', () => {
  test.each([402, 403, 404])('are not to be had where amoCRM says %i', async (status) => {
    scene.world.amo.fault({ match: '/catalogs', kind: 'status', status, body: '{"status":0,"title":"no"}' });
    expect(await scene.parts().client.catalogAvailable(CATALOG)).toBe(false);
  });

  test('are told from one request; a wall before amoCRM says nothing of them', async () => {
    const { client } = scene.parts();
    scene.world.amo.journal.splice(0);
    expect(await client.catalogAvailable(CATALOG)).toBe(true);
    expect(scene.world.amo.journal).toHaveLength(1);
    expect(await client.catalogAvailable(1)).toBe(false);
    scene.world.amo.fault({ match: '/catalogs', kind: 'status', status: 403, body: '<html>' });
    await expect(client.catalogAvailable(CATALOG)).rejects.toMatchObject({ code: 'REMOTE_BLOCKED' });
  });
});
