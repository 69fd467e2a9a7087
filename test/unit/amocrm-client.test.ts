import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RemoteError } from '../../src/base/remote-error.ts';
import type { AmocrmOptions } from '../../src/sandbox/amocrm.ts';
import { type AmocrmClient, amocrmClient } from '../../src/systems/amocrm/client.ts';
import { walk } from '../../src/systems/amocrm/lists.ts';
import { validationErrors } from '../../src/systems/amocrm/schema.ts';
import { type AmoWorld, amoWorld, bearerOf } from '../support/amocrm.ts';

let world: AmoWorld;
let client: AmocrmClient;

async function open(options: Partial<AmocrmOptions> = {}): Promise<void> {
  world = await amoWorld(options);
  client = amocrmClient(world.http(bearerOf(world.amo.standin.credentials().long_lived_token)));
}

beforeEach(() => open());
afterEach(() => world.close());

const asked = () => world.amo.journal.map((entry) => `${entry.method} ${entry.path}`);
const missing = 987_654_321;

describe('reference data', () => {
  test('is read under our names', async () => {
    expect(await client.getAccount(['datetime_settings', 'is_api_filter_enabled'])).toMatchObject({
      id: 31337001,
      subdomain: 'demo',
      timezone: 'Asia/Almaty',
      filtersEnabled: true,
    });
    const kaspi = (await client.listPipelines()).find((pipeline) => pipeline.id === 10226282);
    expect(kaspi).toMatchObject({ isMain: true });
    expect(kaspi?.statuses.find((status) => status.unsorted)?.id).toBe(80953550);
    expect(await client.listLossReasons()).toContainEqual(expect.objectContaining({ id: 4203748 }));
    const users = await client.listUsers();
    expect(users.map((user) => [user.id, user.isActive])).toEqual([
      [12380450, true],
      [12380451, false],
    ]);
    expect(await client.listCatalogs()).toContainEqual(expect.objectContaining({ id: 5501 }));
  });

  test('fields come with their choices, of entities and of catalogs', async () => {
    const deals = await client.listFields('deals');
    expect(deals.find((field) => field.id === 900103)?.enums).toHaveLength(3);
    const phone = (await client.listFields('contacts')).find((field) => field.code === 'PHONE');
    expect(phone?.enums.map((choice) => choice.value)).toContain('MOB');
    expect((await client.listFields({ catalogId: 5501 })).map((field) => field.code)).toContain('SKU');
  });
});

describe('lists', () => {
  test('an empty account is 204, and no row', async () => {
    expect(await client.listDeals({ page: 1 })).toEqual({ rows: [], more: false });
    expect(await client.searchContacts('7015550101')).toEqual([]);
  });

  test.each([false, true])('are walked to the end though `next` may be missing: %s', async (omitNext) => {
    world.amo.standin.configure({ omitNext });
    world.amo.standin.add({ generate: { deals: 501 } });
    const pages: number[] = [];
    for await (const rows of walk((page, limit) => client.listDeals({ page, limit }))) pages.push(rows.length);
    expect(pages).toEqual([250, 250, 1]);
  });

  test('a last page that is full is followed by one more question', async () => {
    world.amo.standin.configure({ omitNext: true });
    world.amo.standin.add({ generate: { deals: 20 } });
    const pages: number[] = [];
    for await (const rows of walk((page, limit) => client.listDeals({ page, limit }), { limit: 10 })) {
      pages.push(rows.length);
    }
    expect(pages).toEqual([10, 10]);
    expect(world.amo.journal).toHaveLength(3);
  });

  test('newest first, by time of change, and by search', async () => {
    const { deals } = world.amo.standin.add({
      deals: [
        { name: 'old', created_at: 1_700_000_000 },
        { name: 'new', created_at: 1_750_000_000 },
      ],
    });
    const newest = { by: 'created_at', direction: 'desc' } as const;
    expect((await client.listDeals({ page: 1, order: newest })).rows.map((deal) => deal.name)).toEqual(['new', 'old']);
    const since = await client.listDeals({ page: 1, updatedFrom: new Date(1_750_000_000_500) });
    expect(since.rows.map((deal) => deal.id)).toEqual([deals[1]]);
    const searched = await client.listDeals({ page: 1, query: 'old' });
    expect(searched.rows.map((deal) => deal.id)).toEqual([deals[0]]);
  });
});

describe('rows by id', () => {
  const total = 600;

  test('250 a question, and only what is missing by itself', async () => {
    const { deals } = world.amo.standin.add({ generate: { deals: total } });
    const found = await client.dealsByIds([...deals, missing, ...deals]);
    expect([...found.keys()].sort()).toEqual([...deals].sort());
    expect(asked()).toEqual([
      'GET /api/v4/leads',
      'GET /api/v4/leads',
      'GET /api/v4/leads',
      `GET /api/v4/leads/${missing}`,
    ]);
    // The request line has to fit into the 8 KB that web servers take.
    expect(Math.max(...world.amo.journal.map((entry) => entry.query.length))).toBeLessThan(7500);
  });

  test.each(['ignored', 'error'] as const)(
    'filters that are %s: one by one, and strangers never come back',
    async (filters) => {
      world.amo.standin.configure({ filters });
      const { contacts } = world.amo.standin.add({ generate: { contacts: 300 } });
      const wanted = contacts.slice(-3);
      expect([...(await client.contactsByIds(wanted)).keys()]).toEqual(wanted);
      world.amo.journal.length = 0;
      // Known by now: no second try at a filter.
      await client.contactsByIds(wanted);
      expect(asked()).toEqual(wanted.map((id) => `GET /api/v4/contacts/${id}`));
    },
  );

  test.each(['gone', 'flagged'] as const)(
    'a deleted one (%s) is absent, and so is one merged away',
    async (deletedById) => {
      world.amo.standin.configure({ deletedById });
      const { deals, contacts } = world.amo.standin.add({ generate: { deals: 3, contacts: 3 } });
      const [first = 0, second = 0] = contacts;
      world.amo.standin.remove({ lead: deals[0] ?? 0 });
      world.amo.standin.merge('contacts', [first, second]);
      expect((await client.dealsByIds(deals)).size).toBe(2);
      expect((await client.contactsByIds(contacts)).has(first)).toBe(true);
      expect((await client.contactsByIds(contacts)).has(second)).toBe(false);
    },
  );

  test('a row that the lagging list does not show yet is not taken for gone', async () => {
    world.amo.standin.configure({ listLagMs: 60_000 });
    const made = await client.createDeals([
      { requestId: 'a', name: 'a' },
      { requestId: 'b', name: 'b' },
    ]);
    expect((await client.listDeals({ page: 1 })).rows).toEqual([]);
    expect((await client.dealsByIds([...made.values()])).size).toBe(2);
  });
});

describe('writes', () => {
  test('deals are matched by request id whatever the order of the answer', async () => {
    world.amo.standin.configure({ answerOrder: 'reversed' });
    const { contacts } = world.amo.standin.add({ contacts: [{ name: 'Buyer' }, { name: 'Other' }] });
    const made = await client.createDeals([
      {
        requestId: 'first',
        name: 'Kaspi #1',
        price: 12_500,
        pipelineId: 10226282,
        statusId: 80953555,
        responsibleUserId: 12380450,
        createdAt: 1_750_000_000,
        fields: [{ fieldId: 900101, values: [{ value: '1' }] }],
        tags: ['Kaspi', 'NEW'],
        contactIds: contacts,
      },
      { requestId: 'second', name: 'Kaspi #2' },
    ]);
    const deals = new Map(world.amo.standin.deals().map((deal) => [deal.id, deal]));
    expect(deals.get(made.get('first') ?? 0)).toMatchObject({
      name: 'Kaspi #1',
      price: 12_500,
      status_id: 80953555,
      created_at: 1_750_000_000,
      tags: ['Kaspi', 'NEW'],
      custom_fields: { 900101: '1' },
      contacts,
    });
    expect(deals.get(made.get('second') ?? 0)?.name).toBe('Kaspi #2');
    const read = (await client.dealsByIds([made.get('first') ?? 0], ['contacts'])).get(made.get('first') ?? 0);
    expect(read).toMatchObject({
      statusId: 80953555,
      contacts: [{ id: contacts[0], isMain: true }, { id: contacts[1] }],
    });
    expect(read?.fields).toEqual([expect.objectContaining({ fieldId: 900101, values: [{ value: '1' }] })]);
  });

  test('a change touches what it names, and tags come and go one by one', async () => {
    const { deals } = world.amo.standin.add({
      deals: [{ name: 'deal', price: 100, tags: ['Kaspi', 'NEW', 'by hand'], custom_fields: { 900101: 'x' } }],
    });
    const [id = 0] = deals;
    const written = await client.updateDeals([
      {
        id,
        statusId: 143,
        pipelineId: 10226282,
        lossReasonId: 4203748,
        fields: [{ fieldId: 900101, values: null }],
        tagsToAdd: ['CANCELLED'],
        tagsToDelete: ['NEW'],
      },
    ]);
    expect([...written]).toEqual([id]);
    const [deal] = world.amo.standin.deals();
    expect(deal).toMatchObject({ name: 'deal', price: 100, status_id: 143, loss_reason_id: 4203748 });
    expect(deal?.tags.sort()).toEqual(['CANCELLED', 'Kaspi', 'by hand'].sort());
    expect(deal?.custom_fields).toEqual({});
  });

  test('contacts are made and found by their number', async () => {
    const made = await client.createContacts([
      {
        requestId: 'c',
        name: 'Иванов Иван',
        firstName: 'Иван',
        lastName: 'Иванов',
        fields: [{ fieldCode: 'PHONE', values: [{ value: '+77015550101', enumCode: 'WORK' }] }],
      },
    ]);
    const [hit] = await client.searchContacts('7015550101');
    expect(hit).toMatchObject({ id: made.get('c'), firstName: 'Иван', lastName: 'Иванов' });
    expect(hit?.fields[0]).toMatchObject({ code: 'PHONE', values: [{ value: '+77015550101', enumCode: 'WORK' }] });
    await client.updateContacts([{ id: made.get('c') ?? 0, tagsToAdd: ['Kaspi'] }]);
    expect(world.amo.standin.contacts()[0]?.tags).toEqual(['Kaspi']);
  });

  test('goods are made, linked, read back and unlinked', async () => {
    const sku = { fieldCode: 'SKU', values: [{ value: 'A-1' }] };
    const made = await client.createElements(5501, [{ requestId: 'A-1', name: 'Чайник', fields: [sku] }]);
    const elementId = made.get('A-1') ?? 0;
    expect((await client.searchElements(5501, 'A-1')).map((element) => element.id)).toEqual([elementId]);
    expect((await client.listElements(5501, { page: 1 })).rows[0]).toMatchObject({ id: elementId, catalogId: 5501 });
    const [dealId = 0, bare = 0] = world.amo.standin.add({ generate: { deals: 2 } }).deals;
    const link = { dealId, elementId, catalogId: 5501, quantity: 1.5 };
    expect(await client.linkDeals([link])).toBe(1);
    expect(await client.linksOfDeals([dealId, bare, missing])).toEqual(
      new Map([
        [dealId, [{ elementId, catalogId: 5501, quantity: 1.5 }]],
        [bare, []],
      ]),
    );
    await client.unlinkDeals([link]);
    expect(world.amo.standin.links()).toEqual([]);
  });

  test('notes are written without setting automations off, and read per deal', async () => {
    const [dealId = 0, other = 0] = world.amo.standin.add({ generate: { deals: 2 } }).deals;
    const made = await client.createNotes('deals', [
      { requestId: 'n', entityId: dealId, text: 'goods', triggersPipeline: false },
    ]);
    expect(world.amo.standin.notes()).toMatchObject([{ text: 'goods', triggers_digital_pipeline: false }]);
    const notes = await client.notesOfDeals([dealId, other]);
    expect(notes.get(dealId)).toMatchObject([{ id: made.get('n'), entityId: dealId, text: 'goods' }]);
    expect(notes.get(other)).toEqual([]);
  });

  test('one bad item refuses the batch, and is named', async () => {
    const error = await client
      .createDeals([
        { requestId: 'good', name: 'good' },
        { requestId: 'bad', name: 'bad', fields: [{ fieldId: 900103, values: [{ enumId: 1 }] }] },
      ])
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RemoteError);
    expect(error).toMatchObject({ outcome: 'refused', status: 400, route: 'leads.create' });
    expect(validationErrors(error instanceof RemoteError ? error.answer : undefined)).toEqual([
      { requestId: 'bad', code: 'NotSupportedChoice', path: expect.stringMatching(/^custom_fields_values\.0\./) },
    ]);
    expect(world.amo.standin.deals()).toEqual([]);
  });

  test('onSend is called before the request leaves', async () => {
    const seen: number[] = [];
    await client.createDeals([{ requestId: '1', name: 'one' }], async () => {
      seen.push(world.amo.journal.length);
    });
    expect(seen).toEqual([0]);
  });

  test('a write whose answer is lost is in doubt and not repeated', async () => {
    world.amo.fault({ match: 'POST /api/v4/leads', kind: 'lost' });
    await expect(client.createDeals([{ requestId: '1', name: 'one' }])).rejects.toMatchObject({ outcome: 'in-doubt' });
    expect(world.amo.standin.deals()).toHaveLength(1);
  });
});

test('an answer of another shape is told by its place, never by its content', async () => {
  const body = JSON.stringify({ _embedded: { leads: [{ id: 'secret-text' }] } });
  world.amo.fault({ match: 'GET /api/v4/leads', kind: 'status', status: 200, body, times: 0 });
  const error = await client.listDeals({ page: 1 }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'REMOTE_ODD_ANSWER', message: expect.stringContaining('_embedded.leads.0.id') });
  expect(String(error)).not.toContain('secret-text');
});
