import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { AppError } from '../../src/base/errors.ts';
import type { Json } from '../../src/base/schema.ts';
import { loadMapping, type Mapping } from '../../src/config/mapping.ts';
import type { OnecMapping } from '../../src/config/mapping-onec-types.ts';
import type { OnecDocument, OnecHead } from '../../src/domain/onec.ts';
import { documentReading } from '../../src/jobs/onec-export-reading.ts';
import { type OnecJobContext, usableOnec } from '../../src/jobs/onec-reading.ts';
import { readAll } from '../../src/runner/reading.ts';
import { outboxSink } from '../../src/runner/sink.ts';
import { amoMemory } from '../../src/state/amo-memory.ts';
import { dealBook } from '../../src/state/deal-links.ts';
import { keepFailed } from '../../src/state/failed-records.ts';
import { linkStates, saveLinks } from '../../src/state/links.ts';
import { dealsImported, documentsOfDeals, saveSeenDocuments, seenDocuments } from '../../src/state/onec-documents.ts';
import type { Deal } from '../../src/systems/amocrm/schema.ts';
import type { OnecReader } from '../../src/systems/onec/api.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2025-06-10T12:00:00Z');
const SLICE = { from: new Date('2025-06-09T12:00:00Z'), to: NOW };
const quiet = () => undefined;
const log = { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet, child: () => log };

const ref = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
const dealKey = (number: number) => `amocrm:deal:onec:${ref(number)}`;

const YAML = `onec:
  statuses:
    - { pipeline: 8, status: 81, state: "Размещен", organization: null, department: null, default: true }
    - { pipeline: 8, status: 83, state: "ВРаботе", organization: null, department: null, default: false }
  fields: { number: 31 }
`;

async function mappingOf(): Promise<Mapping & { onec: OnecMapping }> {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-onec-reading-'));
  try {
    writeFileSync(join(baseDir, 'mapping.yaml'), YAML);
    return (await loadMapping({ baseDir })) as Mapping & { onec: OnecMapping };
  } finally {
    rmSync(baseDir, { recursive: true });
  }
}

function document(number: number, more: Partial<OnecDocument> = {}): OnecDocument {
  return {
    type: 'customerOrder',
    ref: ref(number),
    number: `ТК${number}`,
    date: `2025-06-10T10:00:${String(number).padStart(2, '0')}`,
    posted: true,
    deletionMark: false,
    dataVersion: 'A',
    marks: {},
    organization: undefined,
    department: undefined,
    user: undefined,
    state: { ref: 's', code: '', name: 'Размещен' },
    amountMinor: 10000,
    comment: '',
    reason: '',
    recommendations: '',
    recommendedParts: '',
    car: '',
    carId: '',
    client: undefined,
    lines: [],
    ...more,
  };
}

function deal(id: number, more: Partial<Deal> = {}): Deal {
  const shown = { id, name: '', price: 100, pipelineId: 8, statusId: 81, isDeleted: false, fields: [], elements: [] };
  return { ...shown, ...more } as unknown as Deal;
}

describe('the reading of documents', () => {
  let fresh: FreshDatabase;
  let mapping: Mapping & { onec: OnecMapping };
  let documents: OnecDocument[];
  let deals: Deal[];
  /** Documents that were read whole, pass by pass. */
  let read: string[];
  let catalogs: number;
  let catalogThere: boolean;

  beforeEach(async () => {
    fresh = await freshDatabase('sqlite');
    mapping = await mappingOf();
    [documents, deals, read, catalogs, catalogThere] = [[], [], [], 0, true];
  });
  afterEach(() => fresh.dispose());

  function context(): OnecJobContext {
    const { database } = fresh;
    const { db } = database;
    const client = {
      dealsByIds: async (ids: readonly number[]) =>
        new Map(deals.filter(({ id }) => ids.includes(id)).map((one) => [one.id, one])),
      catalogAvailable: async () => {
        catalogs += 1;
        return catalogThere;
      },
    };
    return {
      clients: { amocrm: async () => ({ client, memory: amoMemory(database, systemClock) }) },
      settings: { AMO_CATALOG_ID: 55, TIMEZONE: 'Europe/Moscow' },
      mapping,
      now: NOW,
      log,
      adopting: false,
      tables: {
        deals: dealBook(database, false),
        onec: {
          seen: (refs: readonly string[]) => seenDocuments(db, refs),
          save: saveSeenDocuments,
          refsOfDeals: (ids: readonly number[]) => documentsOfDeals(db, ids),
          dealsImported: () => dealsImported(db),
        },
      },
    } as unknown as OnecJobContext;
  }

  const reader = {
    heads: async function* () {
      yield documents as OnecHead[];
    },
    head: async (one: string) => documents.find((doc) => doc.ref === one),
    documents: async (heads: readonly OnecHead[]) => {
      read.push(...heads.map(({ number }) => number));
      return new Map(heads.map((head) => [head.ref, documents.find((one) => one.ref === head.ref) as OnecDocument]));
    },
    statesByName: async () => new Map([['вработе', { ref: 'w', code: '', name: 'В работе' }]]),
  } as unknown as OnecReader;

  /** One pass over the documents; what it stored is in the database. */
  async function pass(): Promise<string[]> {
    read = [];
    const sink = outboxSink({
      database: fresh.database,
      job: 'onec:export',
      cursor: 'onec:export',
      now: NOW,
      adopting: false,
      adoptUntil: '',
    });
    const counts = { fetched: 0, created: 0, updated: 0, skipped: 0, failed: 0 };
    const { signal } = new AbortController();
    const reading = documentReading(context(), { reader, mapping: mapping.onec });
    await readAll(reading, { job: 'onec:export', slices: [SLICE], sink, counts, signal, log });
    return read;
  }

  const stored = async (state: string) =>
    await fresh.database.db
      .selectFrom('outbox')
      .select(['key', 'kind', 'payload'])
      .where('state', '=', state as never)
      .execute();
  const pending = async () => (await stored('pending')).map(({ key }) => key).sort();
  const alerts = async () =>
    await fresh.database.db.selectFrom('alerts').select(['kind', 'subject']).where('closed_at', 'is', null).execute();
  /** As if what was planned had been carried out. */
  async function bind(number: number, id: number, applied: Json): Promise<void> {
    const { database } = fresh;
    await database.db.updateTable('outbox').set({ state: 'done' }).where('state', '=', 'pending').execute();
    const mark = { key: `onec:mark:${ref(number)}`, kind: 'onec.mark', remoteId: ref(number), applied: {} };
    const link = { key: dealKey(number), kind: 'amocrm.deal', remoteId: String(id), applied };
    await database.transaction((tx) => saveLinks(tx, [link, mark], NOW));
  }
  /** As if amoCRM had refused the deal, and the next attempt were due. */
  async function refuse(number: number, agoMs: number): Promise<void> {
    const { database } = fresh;
    const due = { state: 'failed', due_at: new Date(NOW.getTime() - 1000).toISOString() } as const;
    await database.db.updateTable('outbox').set(due).where('key', '=', dealKey(number)).execute();
    const record = { kind: 'onec-doc', key: ref(number) };
    const at = new Date(NOW.getTime() - agoMs);
    await database.transaction((tx) => keepFailed(tx, 'onec:export', record, 'made up', at));
  }
  const link = async (number: number) => (await linkStates(fresh.database.db, [dealKey(number)])).get(dealKey(number));

  const AS_MADE = { price: 100, pipelineId: 8, statusId: 81, tags: [], fields: { 31: 'ТК1' } };

  test('R10 a new document is read whole and planned once; still ones cost nothing', async () => {
    documents = [document(1)];
    expect(await pass()).toEqual(['ТК1']);
    expect(await pending()).toEqual([dealKey(1), `onec:id:${ref(1)}`, `onec:mark:${ref(1)}`]);
    expect(await pass()).toEqual([]);
    await bind(1, 900, AS_MADE);
    expect(await pass()).toEqual([]);
    expect(await pending()).toEqual([]);
  });

  test('R11 a change made while the deal was on its way is found once it stands', async () => {
    documents = [document(1)];
    await pass();
    documents = [document(1, { dataVersion: 'B', amountMinor: 20000 })];
    expect(await pass()).toEqual([]);
    await bind(1, 900, AS_MADE);
    expect(await pass()).toEqual(['ТК1']);
    expect(await pending()).toEqual([`${dealKey(1)}#1`, `onec:mark:${ref(1)}#1`]);
    expect(await pass()).toEqual([]);
  });

  test('R11 a change of a document that also failed is not lost by its next attempt', async () => {
    documents = [document(1)];
    await pass();
    await bind(1, 900, AS_MADE);
    const yesterday = new Date(NOW.getTime() - 86_400_000);
    const record = { kind: 'onec-doc', key: ref(1) };
    await fresh.database.transaction((tx) => keepFailed(tx, 'onec:export', record, 'made up', yesterday));
    documents = [document(1, { dataVersion: 'B', amountMinor: 20000 })];
    await pass();
    await pass();
    expect(await pending()).toContain(`${dealKey(1)}#1`);
  });

  test('what was refused is planned anew although the document has stood still: its client may have been corrected', async () => {
    documents = [document(1)];
    await pass();
    await refuse(1, 2 * 86_400_000);
    documents = [document(1, { amountMinor: 20000 })];
    expect(await pass()).toEqual(['ТК1']);
    const [failed] = await stored('failed');
    expect(JSON.parse(failed?.payload ?? '{}')).toMatchObject({ price: 200 });
  });

  test('what was planned anew is compared with the next pass, as if it had changed', async () => {
    documents = [document(1)];
    await pass();
    await bind(1, 900, AS_MADE);
    await pass();
    const record = { kind: 'onec-doc', key: ref(1) };
    await fresh.database.transaction((tx) =>
      keepFailed(tx, 'onec:export', record, 'made up', new Date(NOW.getTime() - 86_400_000)),
    );
    expect([await pass(), await pass(), await pass()]).toEqual([['ТК1'], ['ТК1'], []]);
  });

  test('a document with a fault is not read again before its next attempt', async () => {
    documents = [document(1, { marks: { amoId: 900 } }), document(2, { marks: { amoId: 900 } })];
    deals = [deal(900)];
    await pass();
    expect(await pass()).toEqual([]);
  });

  test('a document that was marked for deletion before it could be exported makes no deal, and is failed no more', async () => {
    const record = { kind: 'onec-doc', key: ref(1) };
    const yesterday = new Date(NOW.getTime() - 86_400_000);
    await fresh.database.transaction((tx) => keepFailed(tx, 'onec:export', record, 'made up', yesterday));
    documents = [document(1, { deletionMark: true }), document(2, { deletionMark: true, marks: { amoId: 900 } })];
    deals = [deal(900)];
    await pass();
    expect(await pending()).toEqual([]);
    expect(await link(2)).toBeUndefined();
    expect(await fresh.database.db.selectFrom('failed_records').select('key').execute()).toEqual([]);
  });

  test('a document that is marked for deletion when its deal stands is told of once, until the mark is taken away', async () => {
    documents = [document(1)];
    await pass();
    await bind(1, 900, AS_MADE);
    documents = [document(1, { dataVersion: 'B', deletionMark: true, amountMinor: 0 })];
    await pass();
    expect([await pending(), await alerts()]).toEqual([[], [{ kind: 'document_gone', subject: `onec-doc:${ref(1)}` }]]);
    expect(await pass()).toEqual([]);
    documents = [document(1, { dataVersion: 'C' })];
    await pass();
    expect([await pending(), await alerts()]).toEqual([[], []]);
  });

  test('R38 a state of an import that is newer than what was seen is not sent back', async () => {
    documents = [document(1)];
    await pass();
    await bind(1, 900, AS_MADE);
    documents = [document(1, { dataVersion: 'B', state: { ref: 'w', code: '', name: 'В работе' } })];
    const written = { type: 'customerOrder', state: 'В работе' };
    const later = new Date(NOW.getTime() + 1000);
    const key = 'onec:doc:amocrm:900';
    await fresh.database.transaction((tx) =>
      saveLinks(tx, [{ key, kind: 'onec.customer-order', remoteId: ref(1), applied: written }], later),
    );
    await pass();
    const [update] = (await stored('pending')).filter(({ kind }) => kind === 'amocrm.deal-update');
    const { to, ours } = JSON.parse(update?.payload ?? '{}') as { to: Json; ours: Json };
    expect([to, ours]).toMatchObject([{ statusId: 83 }, [{ statusId: 83 }]]);
  });

  test('R11, R34 a document that names its deal is bound; exchanged ones are left alone, others are compared', async () => {
    const writtenAt = '2025-06-10T11:00:00';
    documents = [
      document(1, { writtenAt, marks: { amoId: 901, exportedAt: writtenAt }, amountMinor: 77700 }),
      document(2, { writtenAt, marks: { amoId: 902, exportedAt: '2025-06-10T10:30:00' }, amountMinor: 77700 }),
      document(3, { madeForDeal: 903 }),
    ];
    deals = [deal(901), deal(902), deal(903)];
    await pass();
    expect(await pending()).toEqual([
      `${dealKey(2)}#1`,
      `${dealKey(3)}#1`,
      `onec:mark:${ref(2)}#1`,
      `onec:mark:${ref(3)}#1`,
    ]);
    expect(await link(1)).toMatchObject({ remoteId: '901', applied: { price: 777 }, planned: { price: 777 } });
    expect(await link(2)).toMatchObject({ remoteId: '902', applied: { price: 100 }, planned: { price: 777 } });
    expect(await pass()).toEqual([]);
  });

  test('R21 a document that names its deal: its note was made when it was exchanged, else it is looked for first', async () => {
    const [recommendations, writtenAt] = ['я'.repeat(251), '2025-06-10T11:00:00'];
    mapping.onec = { ...mapping.onec, fields: { ...mapping.onec.fields, recommendations: 32 } };
    documents = [
      document(1, { recommendations, writtenAt, marks: { amoId: 901, exportedAt: writtenAt } }),
      document(2, { recommendations, writtenAt, marks: { amoId: 902, exportedAt: '2025-06-10T10:30:00' } }),
    ];
    deals = [deal(901), deal(902)];
    await pass();
    const notes = async () =>
      await fresh.database.db
        .selectFrom('outbox')
        .select(['record_key', 'state', 'look_first'])
        .where('kind', '=', 'amocrm.note')
        .orderBy('record_key')
        .execute();
    const wanted = [
      { record_key: ref(1), state: 'done', look_first: 0 },
      { record_key: ref(2), state: 'pending', look_first: 1 },
    ];
    expect(await notes()).toEqual(wanted);
    expect(await pending()).not.toContain(`onec:mark:${ref(1)}#1`);
    documents = documents.map((one) => ({
      ...one,
      dataVersion: 'B',
      comment: 'new',
      writtenAt: '2025-06-10T11:30:00',
    }));
    await pass();
    expect(await notes()).toEqual(wanted);
  });

  test('R34 a document that an import has made makes no second deal, and is not sent back', async () => {
    const writtenAt = '2025-06-10T11:00:00';
    documents = [document(1, { writtenAt, marks: { amoId: 900, exportedAt: writtenAt }, amountMinor: 77700 })];
    const made = { key: dealKey(1), kind: 'amocrm.deal', remoteId: '900', applied: { ...AS_MADE, fields: {} } };
    await fresh.database.transaction((tx) => saveLinks(tx, [made], NOW));
    await pass();
    expect(await pending()).toEqual([]);
    expect(await link(1)).toMatchObject({ planned: { price: 777, fields: { 31: 'ТК1' } } });
    documents = [
      document(1, { ...documents[0], dataVersion: 'B', writtenAt: '2025-06-10T11:30:00', amountMinor: 88800 }),
    ];
    await pass();
    expect(await pending()).toEqual([`${dealKey(1)}#2`, `onec:mark:${ref(1)}#1`]);
  });

  test('a deal that is gone is told of once and not made again, until 1C names it no more', async () => {
    documents = [document(1, { marks: { amoId: 900 } })];
    await pass();
    expect(await pending()).toEqual([]);
    expect(await alerts()).toEqual([{ kind: 'deal_gone', subject: `onec-doc:${ref(1)}` }]);
    expect(await pass()).toEqual([]);
    documents = [document(1, { dataVersion: 'B' })];
    await pass();
    expect(await pending()).toContain(dealKey(1));
    expect(await alerts()).toEqual([]);
  });

  test('a copied document: the marker in its comment is void, an id of the deal is a fault of its own', async () => {
    documents = [
      document(1, { marks: { amoId: 900 } }),
      document(2, { madeForDeal: 900 }),
      document(3, { marks: { amoId: 900 } }),
    ];
    deals = [deal(900)];
    await pass();
    expect((await link(1))?.remoteId).toBe('900');
    expect(await pending()).toContain(dealKey(2));
    expect(await pending()).not.toContain(dealKey(3));
    const faults = await fresh.database.db.selectFrom('failed_records').select(['key', 'last_error']).execute();
    expect(faults.map(({ key }) => key)).toEqual([ref(3)]);
  });

  test('R8 lists that are not to be had: one alert, asked for once a day, cleared when they are there', async () => {
    catalogThere = false;
    documents = [document(1, { lines: [] }), document(2)];
    await pass();
    expect([await alerts(), catalogs]).toEqual([[{ kind: 'goods_off', subject: 'onec:export:catalog' }], 1]);
    await fresh.database.db.deleteFrom('remote_cache').execute();
    catalogThere = true;
    documents = [document(4)];
    await pass();
    expect(await alerts()).toEqual([]);
  });

  test('R19 a state without a row is told of once and cleared by a row', async () => {
    documents = [1, 2].map((number) => document(number, { state: { ref: 'x', code: '', name: 'Ожидает' } }));
    await pass();
    expect(await alerts()).toEqual([{ kind: 'mapping', subject: 'onec.statuses:ожидает' }]);
    const [row] = mapping.onec.statuses;
    const statuses = [{ ...(row as OnecMapping['statuses'][number]), state: 'Ожидает' }];
    mapping = { ...mapping, onec: { ...mapping.onec, statuses } };
    documents = [document(3, { state: { ref: 'x', code: '', name: 'Ожидает' } })];
    await pass();
    expect(await alerts()).toEqual([]);
  });

  describe('the names that 1C lacks', () => {
    const needs = { kinds: ['workOrder', 'customerOrder'], properties: ['lead', 'exportedAt'] } as const;

    async function usable(essential: string[], missing: string[] = [], faults: string[] = []) {
      const opened: (OnecMapping | undefined)[] = [];
      const onec = await usableOnec(
        {
          mapping: mapping.onec,
          reader: async (own) => {
            opened.push(own);
            const checks = { checkNames: async () => ({ essential, missing }), properties: async () => ({ faults }) };
            return checks as unknown as OnecReader;
          },
        },
        needs,
        log,
      ).catch((error: unknown) => error);
      return { onec, opened };
    }

    test('a kind that is not published is left out while the other is; a name that is not needed likewise', async () => {
      const gone = 'onec.documents.workOrder.set: 1C does not publish it';
      const { onec, opened } = await usable([gone], ['onec.documents.customerOrder.car: none']);
      expect(onec).toMatchObject({ mapping: { documents: { customerOrder: { set: 'Document_ЗаказПокупателя' } } } });
      expect(opened[1]?.documents.workOrder).toBeUndefined();
      expect(opened[1]?.documents.customerOrder?.car).toBeUndefined();
    });

    test('with nothing missing the mapping is taken as it is', async () => {
      expect((await usable([])).opened).toEqual([undefined]);
    });

    test('everything that is needed and missing is told at once, with exit 78', async () => {
      const essential = [
        'onec.documents.workOrder.set: 1C does not publish it',
        'onec.documents.customerOrder.set: 1C does not publish it',
        'onec.properties.chart: 1C does not publish it',
      ];
      const { onec } = await usable(essential, [], ['onec.properties.lead: none', 'onec.properties.client: none']);
      expect(onec).toBeInstanceOf(AppError);
      expect(onec).toMatchObject({ exit: 78, code: 'ONEC_UNFIT' });
      expect((onec as AppError).faults.toSorted()).toEqual([...essential, 'onec.properties.lead: none'].toSorted());
    });
  });
});
