import { afterEach, describe, expect, test } from 'vitest';
import type { Effect } from '../../src/domain/effect.ts';
import type { Delivery } from '../../src/domain/handler.ts';
import type { AmocrmOptions } from '../../src/sandbox/amocrm.ts';
import { amoMemory } from '../../src/state/amo-memory.ts';
import { amocrmClient } from '../../src/systems/amocrm/client.ts';
import { contactHandler } from '../../src/systems/amocrm/effects/contact.ts';
import { contactEffect } from '../../src/systems/amocrm/effects/payloads.ts';
import { type IndexProgress, peopleIndex } from '../../src/systems/amocrm/effects/people-index.ts';
import { type AmoWorld, amoWorld, bearerOf } from '../support/amocrm.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

let world: AmoWorld;
let fresh: FreshDatabase;

async function open(options: Partial<AmocrmOptions> = {}): Promise<void> {
  world = await amoWorld(options);
  fresh = await freshDatabase('sqlite');
}

afterEach(async () => {
  await world.close();
  await fresh.dispose();
});

const phone = (number: number) => `+7701${String(number).padStart(7, '0')}`;

/** So many strangers, made in this order; their ids. */
function fill(count: number, from = 1): number[] {
  return world.amo.standin.add({
    contacts: Array.from({ length: count }, (_, at) => ({
      name: `Покупатель ${from + at}`,
      phones: [phone(from + at)],
    })),
  }).contacts;
}

/** The index as one run of the program has it. */
function run(signal: AbortSignal = new AbortController().signal) {
  const http = world.http(bearerOf(world.amo.standin.credentials().long_lived_token));
  const client = amocrmClient(http);
  const memory = amoMemory(fresh.database, world.clock);
  const index = peopleIndex({ client, memory, country: 'KZ', now: world.clock.now, signal });
  const find = async (...phones: string[]) => Object.fromEntries(await memory.index.find('contacts', 'phone', phones));
  return { client, memory, index, find };
}

/** Lists of contacts that were asked for since the last call, by page; `search` for full-text ones. */
function lists(): string[] {
  return world.amo.journal.splice(0).map(({ path, query }) => {
    const given = new URLSearchParams(query);
    if (path !== '/api/v4/contacts') return path;
    if (given.has('query')) return `search ${given.get('query')}`;
    const filter = [...given.keys()].some((key) => key.startsWith('filter[updated_at]')) ? ' changed' : '';
    const byId = [...given.keys()].some((key) => key.startsWith('filter[id]')) ? ' by id' : '';
    return `page ${given.get('page')}${filter}${byId}`;
  });
}

const silent = () => undefined;

describe('the first fill', () => {
  test('goes through every page, and tells how far it is', async () => {
    await open();
    const ids = fill(620);
    const { index, find } = run();
    const told: IndexProgress[] = [];
    await index.fill('contacts', false, (progress) => told.push({ ...progress }));
    expect(told.map(({ pages, people, complete }) => ({ pages, people, complete }))).toEqual([
      { pages: 1, people: 250, complete: false },
      { pages: 2, people: 500, complete: false },
      { pages: 3, people: 620, complete: true },
    ]);
    expect(await find(phone(1), phone(620), '+77770000000')).toEqual({
      [phone(1)]: [ids[0]],
      [phone(620)]: [ids[619]],
    });
  });

  test('goes on where it was stopped', async () => {
    await open();
    fill(620);
    const stop = new AbortController();
    await run(stop.signal).index.fill('contacts', false, () => stop.abort());
    expect(lists()).toEqual(['page 1']);
    await run().index.fill('contacts', false, silent);
    expect(lists()).toEqual(['page 2', 'page 3']);
  });

  test('goes on where a request failed', async () => {
    await open();
    const ids = fill(300);
    world.amo.fault({ match: 'GET /api/v4/contacts', kind: 'status', status: 500, nth: 2, times: 4 });
    await expect(run().index.fill('contacts', false, silent)).rejects.toMatchObject({ code: 'REMOTE_FAILING' });
    lists();
    const second = run();
    await second.index.fill('contacts', false, silent);
    expect(lists()).toEqual(['page 2']);
    expect(await second.find(phone(1), phone(300))).toEqual({ [phone(1)]: [ids[0]], [phone(300)]: [ids[299]] });
  });

  test('`full` begins anew, whatever is known', async () => {
    await open();
    fill(300);
    await run().index.fill('contacts', false, silent);
    lists();
    await run().index.fill('contacts', true, silent);
    expect(lists()).toEqual(['page 1', 'page 2']);
  });

  test('an empty account is filled with one request', async () => {
    await open();
    await run().index.fill('contacts', false, silent);
    expect(lists()).toEqual(['page 1']);
  });
});

describe('what has changed', () => {
  async function filled(count = 3): Promise<number[]> {
    const ids = fill(count);
    world.clock.advance(3_600_000);
    await run().index.fill('contacts', false, silent);
    world.clock.advance(3_600_000);
    lists();
    return ids;
  }

  test('is asked for once a run, and a changed phone is known by its new value alone', async () => {
    await open();
    const [first = 0] = await filled();
    world.amo.standin.edit({ contact: first }, { phones: ['8 (702) 111-22-33'] });
    const { index, find } = run();
    await index.refresh('contacts', ['+77021112233']);
    await index.refresh('contacts', ['+77770000000']);
    expect(lists()).toEqual(['page 1 changed']);
    expect(await find('+77021112233', phone(1))).toEqual({ '+77021112233': [first] });
  });

  test('overlaps with what was read before, so that a row that was late in the list is not missed', async () => {
    await open();
    await filled();
    world.amo.standin.configure({ listLagMs: 60_000 });
    const { client } = run();
    await client.createContacts([
      { requestId: '1', name: 'Новый', fields: [{ fieldCode: 'PHONE', values: [{ value: '+77021112233' }] }] },
    ]);
    const before = run();
    await before.index.refresh('contacts', ['+77021112233']);
    expect(await before.find('+77021112233')).toEqual({});
    world.clock.advance(120_000);
    const after = run();
    await after.index.refresh('contacts', ['+77021112233']);
    expect(Object.keys(await after.find('+77021112233'))).toEqual(['+77021112233']);
  });

  test.each<[string, Partial<AmocrmOptions>]>([
    ['the filter is honoured', {}],
    ['the filter is refused', { filters: 'error' }],
    ['the filter is ignored', { filters: 'ignored' }],
    ['the order is ignored', { orderHonoured: false }],
    ['both are ignored', { filters: 'ignored', orderHonoured: false }],
  ])('is found where %s', async (_, options) => {
    await open(options);
    const ids = await filled(620);
    const changed = [ids[0], ids[300], ids[619]].map((id) => id ?? 0);
    for (const [at, id] of changed.entries()) {
      world.amo.standin.edit({ contact: id }, { phones: [phone(9001 + at)] });
    }
    const { index, find } = run();
    await index.refresh('contacts', [phone(9001)]);
    expect(await find(phone(9001), phone(9002), phone(9003), phone(1))).toEqual({
      [phone(9001)]: [changed[0]],
      [phone(9002)]: [changed[1]],
      [phone(9003)]: [changed[2]],
    });
    // Without a filter the order ends the reading early; without either the whole list has to be read.
    const pages = new Set(lists().map((line) => line.replace(' changed', '')));
    expect(pages.size).toBe(options.filters === 'ignored' && options.orderHonoured === false ? 3 : 1);
  });

  test('during a fill that took several runs is not missed by the run that ends it', async () => {
    await open();
    const ids = fill(300);
    const stop = new AbortController();
    await run(stop.signal).index.fill('contacts', false, () => stop.abort());
    world.clock.advance(86_400_000);
    world.amo.standin.edit({ contact: ids[0] ?? 0 }, { phones: ['+77021112233'] });
    const { index, find } = run();
    await index.refresh('contacts', ['+77021112233']);
    expect(await find('+77021112233')).toEqual({ '+77021112233': [ids[0]] });
  });
});

describe('an account that is not indexed yet', () => {
  test('is filled at once where that costs no more than a search for each phone', async () => {
    await open();
    const ids = fill(620);
    world.clock.advance(3_600_000);
    const { index, find } = run();
    await index.refresh('contacts', [phone(1), phone(620), phone(9999)]);
    expect(lists().filter((line) => line.startsWith('search'))).toEqual([]);
    expect(await find(phone(1), phone(620), phone(9999))).toEqual({ [phone(1)]: [ids[0]], [phone(620)]: [ids[619]] });
    world.clock.advance(60_000);
    await run().index.refresh('contacts', [phone(9999)]);
    expect(lists()).toEqual(['page 1 changed']);
  });

  test('is searched phone by phone where it is large, and filled by a page each time', async () => {
    await open();
    const ids = fill(1100);
    const { index, find } = run();
    await index.refresh('contacts', [phone(1050)]);
    expect(lists().at(-1)).toBe('search 7010001050');
    expect(await find(phone(1050))).toEqual({ [phone(1050)]: [ids[1049]] });
    await run().index.refresh('contacts', [phone(1051)]);
    const second = lists();
    // People deleted meanwhile move the others up, so that the last page is read again.
    expect(second.slice(0, 2)).toEqual(['page 1', 'page 2']);
    expect(second.at(-1)).toBe('search 7010001051');
  });

  test('a phone that is stored in another spelling is found by its last ten digits, and compared by us', async () => {
    await open();
    fill(600);
    const { contacts } = world.amo.standin.add({
      contacts: [
        { name: 'Пишет в имени 7021112233', phones: ['+7 701 555-55-55'] },
        { name: 'Тот самый', phones: ['8-702-111-22-33'] },
      ],
    });
    const { index, find } = run();
    await index.refresh('contacts', ['+77021112233']);
    expect(await find('+77021112233')).toEqual({ '+77021112233': [contacts[1]] });
  });
});

describe('a contact wanted by its phone', () => {
  /** The contact that the handler takes for this phone without making one. */
  async function known(wanted: string): Promise<number | undefined> {
    const { client, memory, index } = run();
    const handler = contactHandler({ client, memory, index, country: 'KZ', zone: 'UTC' });
    const effect = contactEffect(
      { system: 'kaspi', id: '1' },
      { kind: 'kaspi-order', key: '1' },
      { name: 'Новый', phone: wanted, phoneEnum: 'WORK', since: world.clock.now().toISOString() },
    );
    const found = await handler.known?.([deliveryOf(effect)]);
    const remoteId = found?.get(1)?.remoteId;
    return remoteId === undefined ? undefined : Number(remoteId);
  }

  function deliveryOf(effect: Effect): Delivery {
    const { key, kind, record, needs, payload } = effect;
    const row = { id: 1, key, kind, record, needs, payload, doubts: 0, looks: 0, attempts: 0, lookFirst: false };
    return {
      row: { ...row, sentAt: null, createdAt: world.clock.now().toISOString() },
      ids: new Map(),
      since: new Date(0),
    };
  }

  test('is the smallest id of several, and not one that has the number elsewhere', async () => {
    await open();
    const { contacts } = world.amo.standin.add({
      contacts: [
        { name: 'Звонить на +7 702 111-22-33', phones: ['+77015555555'] },
        { name: 'Первый', phones: ['8 702 111 22 33'] },
        { name: 'Второй', phones: ['+77021112233'] },
      ],
    });
    expect(await known('+77021112233')).toBe(contacts[1]);
    expect(await known('+77020000000')).toBeUndefined();
  });

  test('is not one that was deleted since, nor one whose number was changed since', async () => {
    await open();
    const { contacts } = world.amo.standin.add({
      contacts: [
        { name: 'Удалён', phones: ['+77021112233'] },
        { name: 'Сменил номер', phones: ['+77021112233'] },
        { name: 'Остался', phones: ['+77021112233'] },
      ],
    });
    await run().index.fill('contacts', false, silent);
    world.clock.advance(60_000);
    world.amo.standin.remove({ contact: contacts[0] ?? 0 });
    world.amo.standin.edit({ contact: contacts[1] ?? 0 }, { phones: ['+77029999999'] });
    expect(await known('+77021112233')).toBe(contacts[2]);
    const { find } = run();
    expect(await find('+77021112233', '+77029999999')).toEqual({
      '+77021112233': [contacts[2]],
      '+77029999999': [contacts[1]],
    });
  });

  test.each(['gone', 'flagged'] as const)(
    'merged into another is that other one (read by id: %s)',
    async (deletedById) => {
      await open({ deletedById });
      const { contacts } = world.amo.standin.add({
        contacts: [
          { name: 'Двойник', phones: ['+77021112233'] },
          { name: 'Главный', phones: ['+77014444444'] },
        ],
      });
      await run().index.fill('contacts', false, silent);
      world.clock.advance(60_000);
      world.amo.standin.merge('contacts', [contacts[1] ?? 0, contacts[0] ?? 0]);
      expect(await known('+77021112233')).toBe(contacts[1]);
    },
  );
});
