import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { AppError } from '../../src/base/errors.ts';
import { loadMapping, type Mapping } from '../../src/config/mapping.ts';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import { dealReading } from '../../src/jobs/onec-import-reading.ts';
import type { OnecJobContext } from '../../src/jobs/onec-reading.ts';
import { readAll } from '../../src/runner/reading.ts';
import { outboxSink } from '../../src/runner/sink.ts';
import { amoMemory } from '../../src/state/amo-memory.ts';
import { dealBook } from '../../src/state/deal-links.ts';
import { linkStates, saveLinks } from '../../src/state/links.ts';
import { dealsUnderWay, documentsOfDeals, saveSeenDocuments, seenDocuments } from '../../src/state/onec-documents.ts';
import type { ListQuery } from '../../src/systems/amocrm/client.ts';
import type { Deal } from '../../src/systems/amocrm/schema.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2025-06-10T12:00:00Z');
const SLICE = { from: new Date('2025-06-09T21:00:00Z'), to: NOW };
const seconds = (text: string) => Date.parse(text) / 1000;
const quiet = () => undefined;
const log = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => log };
const DOC = (id: number) => `onec:doc:amocrm:${id}`;
const ref = (id: number) => `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`;

const YAML = `onec:
  preset: alfa-auto-6
  statuses:
    - { pipeline: 8, status: 82, state: "В работе" }
    - { pipeline: 8, status: 84, state: "Размещен" }
    - { pipeline: 8, status: 143, state: "Закрыт" }
`;

const ROLES = [
  ...['organization', 'department', 'warehouse', 'priceType', 'workPriceType', 'vat', 'repairKind', 'workshop'],
  ...['currency', 'author', 'unit', 'operation.workOrder', 'operation.customerOrder'],
  ...['operation.repairRequest', 'operation.repairSummary'],
];

function deal(id: number, more: Partial<Deal> = {}): Deal {
  return {
    ...{
      id,
      name: `Сделка ${id}`,
      price: 100,
      pipelineId: 8,
      statusId: 82,
      isDeleted: false,
      fields: [],
      elements: [],
    },
    ...{ contacts: [{ id: 7, isMain: true }], companyIds: [], createdAt: seconds('2025-06-10T08:00:00Z') },
    updatedAt: seconds('2025-06-10T10:00:00Z'),
    ...more,
  } as unknown as Deal;
}

describe('the reading of deals', () => {
  let fresh: FreshDatabase;
  let mapping: Mapping & { onec: OnecMapping };
  let deals: Deal[];
  let asked: ListQuery[];
  /** Names of the reader's functions that were called. */
  let onec: string[];
  let marked: Map<number, { set: string; ref: string }[]>;
  let shown: Map<string, { name: string; deletionMark?: boolean }>;
  let roles: string[];
  /** Whether amoCRM follows the order and the filter that it is asked for. */
  let honest: boolean;

  beforeEach(async () => {
    fresh = await freshDatabase('sqlite');
    const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-onec-import-reading-'));
    writeFileSync(join(baseDir, 'mapping.yaml'), YAML);
    mapping = (await loadMapping({ baseDir })) as Mapping & { onec: OnecMapping };
    rmSync(baseDir, { recursive: true });
    [deals, asked, onec, marked, shown, roles, honest] = [[], [], [], new Map(), new Map(), ROLES, true];
  });
  afterEach(() => fresh.dispose());

  const client = {
    listDeals: async (query: ListQuery) => {
      asked.push(query);
      const from = (query.updatedFrom?.getTime() ?? 0) / 1000;
      const all = honest
        ? deals.filter(({ updatedAt }) => updatedAt >= from).toSorted((a, b) => b.updatedAt - a.updatedAt)
        : deals;
      const limit = query.limit ?? 250;
      const rows = all.slice((query.page - 1) * limit, query.page * limit);
      return { rows, more: all.length > query.page * limit };
    },
    dealsByIds: async (ids: readonly number[]) =>
      new Map(deals.filter(({ id }) => ids.includes(id)).map((one) => [one.id, one])),
    contactsByIds: async (ids: readonly number[]) =>
      new Map(ids.map((id) => [id, { id, name: 'Клиент', firstName: '', lastName: '', fields: [] }])),
  };

  /** Counts what is asked of 1C beyond reference data, which the cache holds. */
  const reader = {
    checkNames: async () => ({ essential: [], missing: [] }),
    properties: async () => ({ found: new Map(), faults: [] }),
    resolveDefaults: async () => ({
      refs: new Map(roles.map((role) => [role, `ref-${role}`])),
      faults: ROLES.filter((role) => !roles.includes(role)).map((role) => `onec.defaults.${role}: 1C has none`),
    }),
    statesByName: async () =>
      new Map(
        ['Заявка', 'В работе', 'Размещен', 'Закрыт'].map((name) => [name.toLowerCase(), { ref: name, code: '', name }]),
      ),
    byAmoId: async (property: string, ids: readonly number[]) => {
      onec.push(`byAmoId ${property} ${ids.join()}`);
      return property === 'lead' ? marked : new Map();
    },
    states: async (type: string, refs: readonly string[]) => {
      onec.push(`states ${type} ${refs.length}`);
      return new Map(
        refs.flatMap((one) => {
          const state = shown.get(one);
          const standing = {
            state: { ref: state?.name, name: state?.name },
            deletionMark: state?.deletionMark ?? false,
          };
          return state === undefined ? [] : [[one, standing] as const];
        }),
      );
    },
  };

  function context(): OnecJobContext {
    const { database } = fresh;
    return {
      clients: {
        amocrm: async () => ({ client, memory: amoMemory(database, systemClock) }),
        onec: { reader: async () => reader, mapping: mapping.onec },
      },
      settings: { TIMEZONE: 'Europe/Moscow', DEFAULT_COUNTRY: 'RU', AMO_CATALOG_ID: 55 },
      ...{ mapping, now: NOW, windowStart: SLICE.from, log, adopting: false },
      tables: {
        deals: dealBook(database, false),
        onec: {
          seen: (refs: readonly string[]) => seenDocuments(database.db, refs),
          save: saveSeenDocuments,
          refsOfDeals: (ids: readonly number[]) => documentsOfDeals(database.db, ids),
          dealsUnderWay: () => dealsUnderWay(database.db),
        },
      },
    } as unknown as OnecJobContext;
  }

  async function pass() {
    [asked, onec] = [[], []];
    const { database } = fresh;
    const sink = outboxSink({
      database,
      job: 'onec:import',
      cursor: 'onec:import',
      now: NOW,
      adopting: false,
      adoptUntil: '',
    });
    const counts = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
    const { signal } = new AbortController();
    await readAll(dealReading(context()), { job: 'onec:import', slices: [SLICE], sink, counts, signal, log });
    return counts;
  }

  const pending = async () => {
    const rows = await fresh.database.db.selectFrom('outbox').select('key').where('state', '=', 'pending').execute();
    return rows.map(({ key }) => key);
  };
  const link = async (id: number) => (await linkStates(fresh.database.db, [DOC(id)])).get(DOC(id));
  /** As if its document had been made. */
  const bind = (id: number, state: string) =>
    fresh.database.transaction(async (tx) => {
      await tx.updateTable('outbox').set({ state: 'done' }).where('state', '=', 'pending').execute();
      const applied = { type: 'customerOrder', state };
      const base = { remoteId: ref(id), applied };
      await saveLinks(tx, [{ ...base, key: DOC(id), kind: 'onec.customer-order' }], NOW);
      await saveLinks(tx, [{ ...base, key: `onec:state:amocrm:${id}`, kind: 'onec.state' }], NOW);
    });

  test('R27 deals that changed in the window and stand at a stage of the table are imported, each once', async () => {
    deals = [
      deal(1),
      deal(2, { pipelineId: 9 }),
      deal(3, { statusId: 143 }),
      deal(4, { updatedAt: seconds('2025-06-09T20:59:59Z') }),
      deal(5, { isDeleted: true }),
    ];
    expect(await pass()).toMatchObject({ failed: 0 });
    const documents = (await pending()).filter((key) => key.startsWith('onec:doc:amocrm:'));
    expect(documents).toEqual([DOC(1)]);
    const planned = await pending();
    await pass();
    expect(await pending()).toEqual(planned);
  });

  test('R27 an account that ignores order and filter gives no old deal and hides no new one', async () => {
    honest = false;
    const old = (id: number) => deal(id, { updatedAt: seconds('2025-01-01T00:00:00Z') });
    deals = [...Array.from({ length: 260 }, (_, index) => old(index + 1)), deal(900)];
    await pass();
    expect(asked).toHaveLength(2);
    expect((await pending()).filter((key) => key.startsWith('onec:doc:amocrm:'))).toEqual([DOC(900)]);
  });

  test('R27 an idle pass makes one request, and none to 1C', async () => {
    deals = [deal(1), deal(2, { statusId: 84 }), deal(3, { statusId: 143 })];
    await pass();
    await bind(1, 'В работе');
    await bind(2, 'Размещен');
    await pass();
    expect(asked).toHaveLength(1);
    expect(onec).toEqual([]);
    expect(await pending()).toEqual([]);
  });

  test('R28 a document that 1C names the deal in is taken, and only its state is changed', async () => {
    marked.set(1, [{ set: 'Document_ЗаказНаряд', ref: ref(1) }]);
    shown.set(ref(1), { name: 'Размещен' });
    deals = [deal(1)];
    await pass();
    expect(onec).toEqual(['byAmoId lead 1', 'states workOrder 1', 'states workOrder 1']);
    expect(await pending()).toEqual([`${DOC(1)}#1`, `onec:mark:${DOC(1)}#1`]);
    expect(await link(1)).toMatchObject({ remoteId: ref(1), planned: { type: 'workOrder', state: 'В работе' } });
  });

  test('R37 what was last exported is the ground: a state that 1C has changed since is not taken for ours', async () => {
    const { database } = fresh;
    const seen = { ref: ref(1), type: 'customerOrder', number: '1', dated: '2025-06-10T10:00:00', signature: 'x' };
    await database.transaction(async (tx) => {
      await saveSeenDocuments(tx, [{ ...seen, state: 'В работе' }], NOW);
      await saveLinks(tx, [{ key: `amocrm:deal:onec:${ref(1)}`, kind: 'amocrm.deal', remoteId: '1' }], NOW);
    });
    shown.set(ref(1), { name: 'Закрыт' });
    deals = [deal(1)];
    await pass();
    expect(await pending()).toEqual([]);
    deals = [deal(1, { statusId: 84 })];
    await pass();
    const row = await database.db
      .selectFrom('outbox')
      .select('payload')
      .where('key', '=', `${DOC(1)}#1`)
      .executeTakeFirst();
    expect(JSON.parse(row?.payload ?? '{}')).toMatchObject({ to: { name: 'Размещен' }, ours: ['В работе'] });
  });

  test('R38 a stage to which an export has moved the deal is agreed on without a write', async () => {
    deals = [deal(1)];
    await pass();
    await bind(1, 'В работе');
    deals = [deal(1, { statusId: 84 })];
    shown.set(ref(1), { name: 'Размещен' });
    await pass();
    expect(await pending()).toEqual([]);
    expect((await link(1))?.planned).toMatchObject({ state: 'Размещен' });
  });

  test('R35 a deal without a client is kept with the reason, and looked for in 1C once', async () => {
    deals = [deal(1, { contacts: [] }), deal(2)];
    expect(await pass()).toMatchObject({ failed: 1 });
    expect((await pending()).filter((key) => key.startsWith('onec:doc:amocrm:'))).toEqual([DOC(2)]);
    await bind(2, 'В работе');
    await pass();
    expect(onec).toEqual([]);
    const failed = await fresh.database.db.selectFrom('failed_records').select(['kind', 'key', 'last_error']).execute();
    expect(failed).toEqual([
      { kind: 'lead', key: '1', last_error: expect.stringContaining('neither a contact nor a company') },
    ]);
  });

  test('a document that is marked for deletion is not made anew', async () => {
    marked.set(1, [{ set: 'Document_ЗаказНаряд', ref: ref(1) }]);
    shown.set(ref(1), { name: 'Размещен', deletionMark: true });
    deals = [deal(1)];
    expect(await pass()).toMatchObject({ failed: 1 });
    expect(await pending()).toEqual([]);
  });

  test('a failed record whose document has come to stand has nothing left to make', async () => {
    deals = [deal(1, { contacts: [] })];
    await pass();
    await fresh.database.db
      .updateTable('failed_records')
      .set({ next_attempt_at: '2025-01-01T00:00:00.000Z' })
      .execute();
    marked.set(1, [{ set: 'Document_ЗаказНаряд', ref: ref(1) }]);
    shown.set(ref(1), { name: 'В работе' });
    deals = [deal(1, { updatedAt: seconds('2025-06-10T11:00:00Z') })];
    await pass();
    expect(await pending()).toEqual([]);
    expect(await fresh.database.db.selectFrom('failed_records').selectAll().execute()).toEqual([]);
  });

  test('R32 a missing default ends the pass only where something is to be made', async () => {
    roles = ROLES.filter((role) => role !== 'author');
    deals = [deal(1, { contacts: [] })];
    await pass();
    deals = [deal(2)];
    const failure = await pass().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(AppError);
    expect(failure).toMatchObject({
      exit: 78,
      faults: ['onec.defaults.author: 1C has none'],
    });
  });
});
