import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createOutput } from '../../src/cli/output.ts';
import type { ListedDeal } from '../../src/commands/onec-list/deals.ts';
import type { ListedDocument } from '../../src/commands/onec-list/documents.ts';
import { fitTable } from '../../src/commands/onec-list/fit.ts';
import { documentsText, painter } from '../../src/commands/onec-list/text.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import {
  ONEC_SANDBOX_PASSWORD,
  ONEC_SANDBOX_PATH,
  ONEC_SANDBOX_USER,
  type OnecStandin,
  onecStandin,
} from '../../src/sandbox/onec.ts';
import { type SandboxWorld, sandboxWorld } from '../support/sandbox-world.ts';

const MAPPING = `onec:
  preset: alfa-auto-6
  statuses:
    - { pipeline: 8266734, status: 67458414, state: "В работе" }
    - { pipeline: 8266734, status: 67458418, state: "Размещен", default: true }
    - { pipeline: 8266734, status: 67458422, state: "Ожидает поставки" }
    - { pipeline: 8266734, status: 142, state: "Готов к отгрузке", default: true }
  fields: { number: 528943, contact_code: 786089 }
  defaults:
    repairKind: { code: "00000003" }
    author: { description: "Обмен" }
`;
const WORK = 'Document_ЗаказНаряд';
const ORDER = 'Document_ЗаказПокупателя';
const CLIENTS = 'Catalog_Контрагенты';

describe('the built program', () => {
  let onec: RunningStandin<OnecStandin>;
  let world: SandboxWorld;

  beforeEach(async () => {
    onec = await serve(onecStandin());
    onec.standin.seed({ workOrders: 2, customerOrders: 2 });
    world = await sandboxWorld({
      mapping: MAPPING,
      settings: {
        KASPI_API_TOKEN: undefined,
        ONEC_ODATA_URL: `${onec.url}${ONEC_SANDBOX_PATH}`,
        ONEC_USER: ONEC_SANDBOX_USER,
        ONEC_PASSWORD: ONEC_SANDBOX_PASSWORD,
        ONEC_TIMEZONE: 'Europe/Moscow',
        SECRET_KEY: 'a long and random text',
      },
    });
  });

  afterEach(async () => {
    await world.close();
    await onec.close();
  });

  const json = async <T>(...args: string[]): Promise<T & { code: number | null }> => {
    const { code, stdout } = await world.sdelka([...args, '--json']);
    return { ...(JSON.parse(stdout) as T), code };
  };
  const list = (...args: string[]) =>
    json<{ documents: ListedDocument[]; left_out: number; problems: unknown[] }>('onec:list', ...args);
  const numberOf = (set: string, at: number) => String(onec.standin.entities(set)[at]?.Number).trim();
  const refOf = (set: string, at: number) => String(onec.standin.entities(set)[at]?.Ref_Key);

  test('R25, R26: documents are new, then exchanged, then changed; those of no use are dropped; nothing is written', async () => {
    const before = await list();
    expect(before.code).toBe(0);
    expect(before.documents).toHaveLength(4);
    expect(before.documents[0]).toMatchObject({
      ...{ type: 'workOrder', number: numberOf(WORK, 0), client: 'Примеров Пётр', exchange: 'new' },
      ...{ deal_id: null, client_id: null, state: 'В работе', stage_id: 67458414, exported_at: null },
    });
    expect(onec.journal.every(({ method }) => method === 'GET')).toBe(true);
    expect(await world.rows('SELECT * FROM runs')).toEqual([]);

    expect(await world.sdelka(['onec:export'])).toMatchObject({ code: 0 });
    const after = await list();
    expect(after.documents.map(({ exchange }) => exchange)).toEqual(Array(4).fill('exchanged'));
    const deals = world.amo.standin.deals().map(({ id }) => id);
    expect(after.documents.map(({ deal_id }) => deal_id)).toEqual(expect.arrayContaining(deals));
    expect(after.documents.every(({ client_id, exported_at }) => client_id !== null && exported_at !== null)).toBe(
      true,
    );

    onec.standin.edit({ set: WORK, ref: refOf(WORK, 1), changes: { Комментарий: 'позвонить' } });
    const exportable = await list('--exportable', '--lookback', '1');
    expect(exportable).toMatchObject({ left_out: 3, documents: [{ ref: refOf(WORK, 1), exchange: 'changed' }] });
  });

  test('chosen documents with their lines; a number that 1C does not have is told, by exit code too', async () => {
    const { code, documents, problems } = await list('--ids', `${refOf(WORK, 0)},${numberOf(ORDER, 1)},99`, '--lines');
    expect(documents.map(({ number }) => number)).toEqual([numberOf(WORK, 0), numberOf(ORDER, 1)]);
    expect(documents[0]?.lines).toContainEqual(expect.objectContaining({ work: true, catalog_id: null }));
    expect(documents[1]?.lines[0]).toMatchObject({
      work: false,
      article: expect.any(String),
      maker: expect.any(String),
    });
    expect({ code, problems }).toMatchObject({ code: 1, problems: [{ name: '99' }] });
    expect(await world.sdelka(['onec:list', '--deals', '--lines'])).toMatchObject({ code: 64 });
  });

  test('onec:export --only: chosen documents alone, again and again; neither cursor nor heartbeat moves', async () => {
    const number = numberOf(ORDER, 1);
    const dry = await json<{ plan: { kind: string }[] }>('--dry-run', 'onec:export', '--only', number);
    expect(dry.plan.filter(({ kind }) => kind === 'amocrm.deal')).toHaveLength(1);
    expect(world.amo.standin.deals()).toEqual([]);

    const pass = await json<{ created: number; failed: number }>('onec:export', '--only', `${number},nonsense`);
    expect(pass).toMatchObject({ code: 1, created: 1, failed: 1 });
    expect(world.amo.standin.deals().map(({ name }) => name)).toEqual([expect.stringContaining(number)]);
    expect(await world.rows("SELECT key FROM meta WHERE key LIKE 'cursor:%' OR key LIKE 'heartbeat:%'")).toEqual([]);

    expect(await json('onec:export', '--only', number)).toMatchObject({ code: 0, created: 0, fetched: 1 });
    expect(await json('onec:export')).toMatchObject({ code: 0, created: 3 });
    expect(world.amo.standin.deals()).toHaveLength(4);
  });

  test('onec:import --only: a chosen deal alone; --deals shows what would come of each', async () => {
    const { standin } = world.amo;
    standin.seed({
      contacts: [{ first_name: 'Проба', phones: ['+79000000901'] }],
      elements: [{ name: 'Рычаг', sku: 'SLN.012', price: 10 }],
    });
    const [contact = 0] = standin.contacts().map(({ id }) => id);
    const [item = 0] = standin.elements().map(({ id }) => id);
    const deal = { pipeline_id: 8266734, status_id: 67458418, price: 10, elements: [{ id: item, quantity: 1 }] };
    standin.seed({
      deals: [
        { ...deal, name: 'A', contacts: [contact] },
        { ...deal, name: 'B', contacts: [contact] },
        { ...deal, name: 'C' },
      ],
    });
    const ids = standin.deals().map(({ id }) => id);
    const deals = async () => (await json<{ deals: ListedDeal[] }>('onec:list', '--deals', '--lookback', '1')).deals;
    const before = new Map((await deals()).map((one) => [one.deal_id, one]));
    expect(before.get(ids[0] ?? 0)).toMatchObject({ document: null, client_id: contact, state: 'Размещен' });
    expect(before.get(ids[0] ?? 0)?.would).toMatch(/^make /);
    expect(before.get(ids[2] ?? 0)).toMatchObject({
      client_id: null,
      would: expect.stringMatching(/^refused: .*client/),
    });
    expect(onec.journal.every(({ method }) => method === 'GET')).toBe(true);

    expect(await json('onec:import', '--only', `${ids[1]}`)).toMatchObject({ code: 0, fetched: 1 });
    const after = new Map((await deals()).map((one) => [one.deal_id, one]));
    expect(after.get(ids[1] ?? 0)).toMatchObject({ document: expect.any(String), would: 'nothing' });
    expect(after.get(ids[0] ?? 0)).toMatchObject({ document: null });
    expect(await json('onec:import', '--only', '7')).toMatchObject({ code: 1, failed: 1 });
  });

  test('doctor: whoever has 1C alone lacks nothing; each thing that 1C or amoCRM does not have is named', async () => {
    type Checks = { checks: { check: string; verdict: string; message: string }[] };
    const well = await json<Checks>('doctor');
    expect(well.checks.filter(({ verdict }) => verdict === 'failure')).toEqual([]);
    expect(well.code).toBe(0);
    const names = well.checks.map(({ check }) => check);
    expect(names).toEqual(
      expect.arrayContaining([
        '1C',
        '1C properties',
        '1C defaults',
        '1C states',
        '1C zone',
        'clock against onec',
        'ids',
      ]),
    );
    expect(names.filter((name) => name.includes('kaspi'))).toEqual([]);

    const { writeFile } = await import('node:fs/promises');
    const wrong = MAPPING.replace('"В работе"', '"Нигде"')
      .replace('67458422', '5')
      .replace('number: 528943', 'number: 4')
      .concat('  users: { "Некто Н. Н.": 9 }\n');
    await writeFile(`${world.dir}/mapping.yaml`, wrong);
    const ill = await json<Checks>('doctor');
    expect(ill.code).toBe(78);
    const said = (verdict: string) => ill.checks.filter((one) => one.verdict === verdict).map(({ message }) => message);
    expect(said('failure')).toEqual([
      'onec.statuses[0]: 1C has no state "Нигде"',
      'mapping onec.statuses[2]: there is no stage 5 in pipeline 8266734',
      'mapping onec.fields.number: there is no field 4 of deals',
      'mapping onec.users "Некто Н. Н.": there is no active user 9',
    ]);
    expect(said('warning')).toEqual(
      expect.arrayContaining([
        expect.stringContaining('"В работе"'),
        expect.stringContaining('onec.users does not name'),
      ]),
    );

    await world.rewrite({ ONEC_PASSWORD: 'wrong' });
    expect((await json<Checks>('doctor')).checks).toContainEqual(
      expect.objectContaining({ check: '1C', verdict: 'failure', message: expect.stringContaining('refused') }),
    );
  });

  test('R7 amo:index --match-1c: by phone, then e-mail; what two could claim goes to neither; a second run finds nothing to do', async () => {
    const [first, , , , , person] = onec.standin.entities(CLIENTS).map(({ Ref_Key }) => String(Ref_Key));
    world.amo.standin.seed({
      contacts: [
        { first_name: 'A', emails: ['primer1@sandbox.example'] },
        { first_name: 'B', phones: ['8 900 000-00-06'] },
        { first_name: 'C', phones: ['+79000000006'] },
      ],
    });
    const ids = world.amo.standin.contacts().map(({ id }) => id);
    const dry = await json<{ matches: unknown[]; ambiguous: unknown[] }>('--dry-run', 'amo:index', '--match-1c');
    expect(dry.matches).toEqual([expect.objectContaining({ ref: first, amo_id: ids[0], by: 'email' })]);
    expect(dry.ambiguous).toEqual([expect.objectContaining({ ref: person })]);
    expect(onec.standin.mark(CLIENTS, first ?? '', 'amoclient')).toBeUndefined();

    expect(await json('amo:index', '--match-1c')).toMatchObject({ code: 0, written: 1 });
    expect(onec.standin.mark(CLIENTS, first ?? '', 'amoclient')).toBe(String(ids[0]));
    expect(onec.standin.mark(CLIENTS, person ?? '', 'amoclient')).toBeUndefined();
    expect(await json('amo:index', '--match-1c')).toMatchObject({ known: 1, matches: [], written: 0 });
    expect(await world.sdelka(['--dry-run', 'amo:index'])).toMatchObject({ code: 64 });
  });
});

describe('on a terminal', () => {
  const document: ListedDocument = {
    ...{ ref: 'r', type: 'customerOrder', number: 'ТК000001281', date: '2025-05-27T08:32:24' },
    ...{ client: 'Константинопольский Константин', amount: 5800, deal_id: 18859787, client_id: null },
    ...{ state: 'Готов к отгрузке частично', pipeline_id: 8266734, stage_id: 67458418 },
    ...{ written_at: '2025-05-27T09:00:46', exported_at: '2025-05-27T09:00:46', exchange: 'changed', lines: [] },
  };
  const shown = async (columns: number, colour: boolean, documents: ListedDocument[]) => {
    const out = createOutput({
      writer: { write: () => undefined },
      terminal: true,
      json: false,
      columns: () => columns,
    });
    return documentsText({ documents, problems: [] }, { lines: false, dropped: 0, out, paint: painter(colour) });
  };

  test.each([
    [80, ['client id', 'state'], ['exported', 'stage']],
    [160, ['client id', 'state', 'stage', 'written', 'exported'], []],
  ])('a table of %i columns fits, the ids in any case', async (width, there, gone) => {
    const lines = (await shown(width, false, [document, { ...document, exchange: 'new', deal_id: null }])).split('\n');
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(width);
    for (const head of there) expect(lines[0]).toContain(head);
    for (const head of gone) expect(lines[0]).not.toContain(head);
    expect(lines[1]).toMatch(/^1~ .*order ТК000001281 .* 5800\.00 .*18859787 /);
    expect(lines[2]).toMatch(/^2\+ .*—/);
  });

  test('R25: orders green, changed numbers magenta, missing ids on red; without colours none of it', async () => {
    const start = String.fromCharCode(27);
    const coloured = await shown(160, true, [document]);
    expect(coloured).toContain(`${start}[32morder ТК000001281${start}[0m`);
    expect(coloured).toMatch(new RegExp(`${start}\\[35m1~ *${start}\\[0m`));
    expect(coloured).toMatch(new RegExp(`${start}\\[41m— *${start}\\[0m`));
    const plain = { ...document, type: 'workOrder', client_id: 5, exchange: 'exchanged' } as const;
    expect(await shown(160, true, [plain])).not.toContain(start);
    expect(await shown(160, false, [document])).not.toContain(start);
  });

  test('texts are cut before columns go, the least wanted column first', () => {
    const columns = [
      { head: 'a', text: (row: string) => row, least: 4 },
      { head: 'b', text: () => '12345', drop: 2 },
      { head: 'c', text: () => '123', drop: 1, right: true },
    ];
    const rows = ['abcdefgh'];
    expect(fitTable(columns, rows, 20).rows).toEqual([['abcdefgh', '12345', '123']]);
    expect(fitTable(columns, rows, 16).rows).toEqual([['abc…', '12345', '123']]);
    expect(fitTable(columns, rows, 15).rows).toEqual([['abcdefgh', '12345']]);
    expect(fitTable(columns, rows, 8).rows).toEqual([['abcdefgh']]);
  });
});
