import fc from 'fast-check';
import { CompiledQuery, type RootOperationNode, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Effect } from '../../src/domain/effect.ts';
import type { Database, Tx } from '../../src/state/database.ts';
import { failedKeys, forgetAllFailed, keepFailed } from '../../src/state/failed-records.ts';
import { linkStates, remoteIds, revisionKey, saveLinks, takeRevision } from '../../src/state/links.ts';
import {
  amendEffect,
  claimEffects,
  clearLookFirst,
  countChanges,
  countOpen,
  doubtEffects,
  doubtfulEffects,
  failEffect,
  finishEffect,
  inheritEffects,
  knownKeys,
  lookedInVain,
  markSending,
  nextLookAt,
  postponeLook,
  prunePayloads,
  readyEffects,
  releaseEffects,
  renewEffects,
  storeEffects,
} from '../../src/state/outbox.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2026-05-01T10:00:00.000Z');
const JOB = 'kaspi:poll';
const KIND = 'amocrm.deal';

const later = (minutes: number) => new Date(NOW.getTime() + minutes * 60_000);

function effect(key: string, more: Partial<Effect> = {}): Effect {
  return { key, kind: KIND, record: { kind: 'kaspi-order', key }, needs: [], payload: { name: key }, ...more };
}

describe.each(dialects)('%s: the outbox', (dialect) => {
  let fresh: FreshDatabase;
  let database: Database;
  let db: Tx;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
    database = fresh.database;
    db = database.db;
  });
  afterEach(() => fresh.dispose());

  const inTx = <T>(work: (tx: Tx) => Promise<T>) => database.transaction(work);
  const store = (...keys: string[]) =>
    inTx((tx) =>
      storeEffects(
        tx,
        JOB,
        keys.map((key) => effect(key)),
        false,
        NOW,
      ),
    );
  const ready = (at = NOW, kind = KIND) => readyEffects(db, JOB, kind, 0, 100, at);
  const readyKeys = async (at = NOW) => (await ready(at)).map(({ key }) => key);

  async function rowOf(key: string) {
    return db.selectFrom('outbox').selectAll().where('key', '=', key).executeTakeFirstOrThrow();
  }
  async function idOf(key: string): Promise<number> {
    return (await rowOf(key)).id;
  }
  async function stateOf(key: string): Promise<string> {
    return (await rowOf(key)).state;
  }
  const reserved = async () =>
    (await db.selectFrom('reservations').select('key').orderBy('key').execute()).map(({ key }) => key);

  /** Claims rows by key for a run; gives the keys that it had. */
  async function claim(
    runId: number,
    ...wanted: [key: string, reservation?: string, bound?: string][]
  ): Promise<string[]> {
    const ids = await Promise.all(wanted.map(([key]) => idOf(key)));
    const had = await inTx((tx) =>
      claimEffects(
        tx,
        runId,
        wanted.map(([, reservation, bound], at) => ({ id: ids[at] ?? 0, reservation, bound })),
        NOW,
      ),
    );
    return wanted.filter((_, at) => had.has(ids[at] ?? 0)).map(([key]) => key);
  }

  async function send(runId: number, key: string, at = NOW): Promise<number> {
    const id = await idOf(key);
    await claim(runId, [key]);
    await inTx((tx) => markSending(tx, runId, [id], at));
    return id;
  }

  async function doubtfulRow(key: string) {
    const rows = await doubtfulEffects(db, JOB, KIND, null);
    const row = rows.find((one) => one.key === key);
    if (!row) throw new Error(`${key} is not in doubt`);
    return row;
  }

  test('several records of a page may ask for one thing: it is stored once, as the first has it', async () => {
    const customer = (record: string) => effect('customer', { record: { kind: 'call', key: record }, payload: record });
    const page = [customer('1'), effect('call:1'), customer('2'), effect('call:2'), customer('3')];
    expect(await inTx((tx) => storeEffects(tx, JOB, page, false, NOW))).toBe(3);
    expect((await ready()).map(({ key, payload }) => [key, payload])).toEqual([
      ['customer', '1'],
      ['call:1', { name: 'call:1' }],
      ['call:2', { name: 'call:2' }],
    ]);
  });

  test('of failed records those are well again that no effect holds back, of their own kind alone', async () => {
    const record = (key: string, kind = 'kaspi-order') => ({ kind, key });
    for (const one of [record('1'), record('2'), record('1', 'call'), record('3')]) {
      await inTx((tx) => keepFailed(tx, JOB, one, 'no such field', NOW));
    }
    await inTx((tx) => storeEffects(tx, JOB, [effect('held', { record: record('2') })], false, NOW));
    await failEffect(db, await idOf('held'), 'no such field', later(1));
    await inTx((tx) => forgetAllFailed(tx, [record('1'), record('2'), record('4')]));
    expect([...(await failedKeys(db, 'kaspi-order', NOW)).keys()].sort()).toEqual(['2', '3']);
    expect([...(await failedKeys(db, 'call', NOW)).keys()]).toEqual(['1']);
  });

  test('a key is stored once: what is known stays as it is, whichever job plans it again', async () => {
    expect(await store('a', 'b')).toBe(2);
    const again = [effect('a', { payload: { name: 'another' } }), effect('c')];
    expect(await inTx((tx) => storeEffects(tx, 'kaspi:reconcile', again, true, later(1)))).toBe(1);
    expect(await ready()).toMatchObject([
      { key: 'a', payload: { name: 'a' }, lookFirst: false, createdAt: NOW.toISOString() },
      { key: 'b', record: { kind: 'kaspi-order', key: 'b' } },
    ]);
    expect(await knownKeys(db, ['a', 'c', 'x'])).toEqual(new Set(['a', 'c']));
  });

  test('several hundred effects are stored, known and read in their order', async () => {
    const keys = Array.from({ length: 950 }, (_, number) => `k${number}`);
    expect(await store(...keys)).toBe(950);
    expect(await store(...keys)).toBe(0);
    expect((await knownKeys(db, keys)).size).toBe(950);
    const first = await readyEffects(db, JOB, KIND, 0, 500, NOW);
    const second = await readyEffects(db, JOB, KIND, first.at(-1)?.id ?? 0, 500, NOW);
    expect([...first, ...second].map(({ key }) => key)).toEqual(keys);
    expect(await countChanges(db, JOB, KIND)).toBe(0);
    await store('link#1', 'link#2');
    expect(await countChanges(db, JOB, KIND)).toBe(2);
  });

  test('of two claimants one wins', async () => {
    await store('a', 'b');
    const [one, two] = await Promise.all([claim(1, ['a'], ['b']), claim(2, ['a'], ['b'])]);
    expect([...one, ...two].sort()).toEqual(['a', 'b']);
    expect(await readyKeys()).toEqual([]);
    const winner = one.includes('a') ? 1 : 2;
    expect(await rowOf('a')).toMatchObject({ state: 'claimed', run_id: winner });
    const ids = [await idOf('a')];
    await expect(inTx((tx) => markSending(tx, 3 - winner, ids, NOW))).rejects.toThrow('taken by another run');
    expect(await stateOf('a')).toBe('claimed');
    await inTx((tx) => markSending(tx, winner, ids, NOW));
    expect(await rowOf('a')).toMatchObject({ state: 'sending', sent_at: NOW.toISOString() });
  });

  test('what is being sent, in doubt or done cannot be claimed', async () => {
    await store('sending', 'doubt', 'done');
    await send(1, 'sending');
    const doubt = await send(1, 'doubt');
    await inTx((tx) => doubtEffects(tx, [doubt], NOW, 'lost'));
    const done = await send(1, 'done');
    await inTx((tx) => finishEffect(tx, done, '77', NOW));
    expect(await claim(2, ['sending'], ['doubt'], ['done'])).toEqual([]);
  });

  test('a reservation: who comes second waits, also across jobs; a doubt keeps it, an end or a release frees it', async () => {
    await store('a', 'b');
    await inTx((tx) => storeEffects(tx, 'leads:push', [effect('c')], false, NOW));
    expect(await claim(1, ['a', 'phone:1'], ['b', 'phone:1'])).toEqual(['a']);
    expect(await claim(2, ['c', 'phone:1'])).toEqual([]);
    expect(await stateOf('c')).toBe('pending');
    const id = await idOf('a');
    await inTx((tx) => markSending(tx, 1, [id], NOW));
    await inTx((tx) => doubtEffects(tx, [id], NOW, 'lost'));
    expect(await claim(2, ['c', 'phone:1'])).toEqual([]);
    await inTx((tx) => finishEffect(tx, id, '77', NOW));
    expect(await claim(2, ['c', 'phone:1'])).toEqual(['c']);
    await inTx(async (tx) => releaseEffects(tx, [await idOfIn(tx, 'c')]));
    expect(await reserved()).toEqual([]);
    expect(await claim(1, ['b', 'phone:1'])).toEqual(['b']);
  });

  async function idOfIn(tx: Tx, key: string): Promise<number> {
    return (await tx.selectFrom('outbox').select('id').where('key', '=', key).executeTakeFirstOrThrow()).id;
  }

  test('a thing that another job has made since it was looked for is not made again', async () => {
    await store('a');
    await inTx((tx) => saveLinks(tx, [{ key: 'phone:1', kind: KIND, remoteId: '77' }], NOW));
    expect(await claim(1, ['a', 'phone:1'])).toEqual([]);
    expect(await reserved()).toEqual([]);
    // What was bound when it was looked for had been looked at, and was not it.
    expect(await claim(1, ['a', 'phone:1', '77'])).toEqual(['a']);
  });

  test('an effect whose doubt ended takes its own reservation again; a refused one gives it back', async () => {
    await store('a');
    await claim(1, ['a', 'phone:1']);
    const id = await idOf('a');
    await inTx((tx) => doubtEffects(tx, [id], NOW, 'lost'));
    for (let look = 1; look <= 2; look++) {
      const row = await doubtfulRow('a');
      await inTx((tx) => lookedInVain(tx, row, NOW));
    }
    expect(await reserved()).toEqual(['phone:1']);
    expect(await claim(2, ['a', 'phone:1'])).toEqual(['a']);
    await inTx((tx) => failEffect(tx, id, 'refused', later(1)));
    expect(await reserved()).toEqual([]);
  });

  test('a doubt is looked up when it is due, and sent again only after two looks in vain in a row', async () => {
    await store('a');
    const id = await send(1, 'a');
    await inTx((tx) => doubtEffects(tx, [id], later(2), 'reset'));
    expect(await doubtfulEffects(db, JOB, KIND, later(1))).toEqual([]);
    expect(await nextLookAt(db, JOB)).toEqual(later(2));
    expect(await doubtfulEffects(db, JOB, KIND, later(2))).toMatchObject([{ key: 'a', doubts: 1, looks: 0 }]);
    const first = await doubtfulRow('a');
    expect(await inTx((tx) => lookedInVain(tx, first, later(4)))).toBe('again');
    await inTx((tx) => postponeLook(tx, [id], later(5), 'the list lags'));
    expect(await readyKeys(later(60))).toEqual([]);
    const second = await doubtfulRow('a');
    expect(second).toMatchObject({ looks: 1 });
    expect(await inTx((tx) => lookedInVain(tx, second, later(6)))).toBe('resend');
    expect(await ready()).toMatchObject([{ key: 'a', doubts: 1, looks: 0, sentAt: NOW.toISOString() }]);
    expect(await nextLookAt(db, JOB)).toBeUndefined();
  });

  test('a new doubt counts its looks from nothing', async () => {
    await store('a');
    const id = await send(1, 'a');
    await inTx((tx) => doubtEffects(tx, [id], NOW, 'reset'));
    const row = await doubtfulRow('a');
    await inTx((tx) => lookedInVain(tx, row, NOW));
    await inTx((tx) => doubtEffects(tx, [id], NOW, 'reset'));
    expect(await doubtfulRow('a')).toMatchObject({ doubts: 2, looks: 0 });
  });

  test("a dead run's claims were surely not sent; what it was sending is in doubt from its own deadline on", async () => {
    await store('claimed', 'sending', 'mine', 'pending');
    await claim(1, ['claimed', 'phone:1']);
    await send(1, 'sending', later(-1));
    await send(2, 'mine');
    await inTx((tx) => storeEffects(tx, 'other:job', [effect('other')], false, NOW));
    const other = await idOf('other');
    await claim(9, ['other']);
    await inTx((tx) => markSending(tx, 9, [other], NOW));
    const lookAt = (_kind: string, sentAt: Date) => new Date(sentAt.getTime() + 90_000);
    expect(await inTx((tx) => inheritEffects(tx, JOB, 2, lookAt))).toEqual({ claimed: 1, sending: 1 });
    expect(await rowOf('claimed')).toMatchObject({ state: 'pending', run_id: null });
    expect(await reserved()).toEqual([]);
    expect(await rowOf('sending')).toMatchObject({ state: 'doubt', doubts: 1, due_at: later(0.5).toISOString() });
    expect(await stateOf('mine')).toBe('sending');
    expect(await stateOf('other')).toBe('sending');
    expect(await inTx((tx) => inheritEffects(tx, JOB, 2, lookAt))).toEqual({ claimed: 0, sending: 0 });
  });

  test('a failed effect is due later, and can be claimed then', async () => {
    await store('a');
    const id = await send(1, 'a');
    await inTx((tx) => failEffect(tx, id, 'amoCRM refused it', later(5)));
    expect(await readyKeys(later(4))).toEqual([]);
    expect(await ready(later(5))).toMatchObject([{ key: 'a', attempts: 1 }]);
    expect(await rowOf('a')).toMatchObject({ last_error: 'amoCRM refused it', run_id: null });
    expect(await claim(2, ['a'])).toEqual(['a']);
  });

  test('an amended effect waits again with what is left, its reservation free', async () => {
    await store('a');
    await claim(1, ['a', 'phone:1']);
    const id = await idOf('a');
    await inTx((tx) => amendEffect(tx, id, { name: 'without the field' }));
    expect(await ready()).toMatchObject([{ key: 'a', payload: { name: 'without the field' } }]);
    expect(await reserved()).toEqual([]);
  });

  test('the first look is asked for until it was had', async () => {
    await inTx((tx) => storeEffects(tx, JOB, [effect('a'), effect('b')], true, NOW));
    const ids = [await idOf('a')];
    await inTx((tx) => clearLookFirst(tx, ids));
    expect((await ready()).map(({ lookFirst }) => lookFirst)).toEqual([false, true]);
  });

  test('pruning forgets old payloads and keeps keys, ids, open effects and the kinds to keep', async () => {
    await inTx((tx) => storeEffects(tx, JOB, [effect('good', { kind: 'amocrm.good' })], false, NOW));
    await store('old', 'new', 'open');
    for (const [key, at] of [
      ['old', later(-10)],
      ['good', later(-10)],
      ['new', later(10)],
    ] as const) {
      const id = await send(1, key);
      await inTx((tx) => finishEffect(tx, id, `id of ${key}`, at));
    }
    await inTx((tx) => prunePayloads(tx, NOW, ['amocrm.good']));
    expect(await rowOf('old')).toMatchObject({ key: 'old', payload: null, remote_id: 'id of old', state: 'done' });
    for (const key of ['good', 'new', 'open']) expect((await rowOf(key)).payload).toBe(JSON.stringify({ name: key }));
    expect(await store('old')).toBe(0);
    await inTx((tx) => prunePayloads(tx, NOW, []));
    expect((await rowOf('good')).payload).toBeNull();
  });

  test('what is gone at the target is made anew, looked for first; a pruned payload cannot be', async () => {
    await store('a', 'pruned');
    for (const key of ['a', 'pruned']) {
      const id = await send(1, key);
      await inTx((tx) => finishEffect(tx, id, '77', NOW));
    }
    await inTx((tx) => saveLinks(tx, [{ key: 'a', kind: KIND, remoteId: '77' }], NOW));
    await db.updateTable('outbox').set({ payload: null }).where('key', '=', 'pruned').execute();
    await inTx((tx) => renewEffects(tx, ['a', 'pruned']));
    expect(await ready()).toMatchObject([{ key: 'a', lookFirst: true }]);
    expect(await rowOf('a')).toMatchObject({ remote_id: null, done_at: null });
    expect(await remoteIds(db, ['a'])).toEqual(new Map());
  });

  test('open effects are counted by state, of this job alone', async () => {
    await store('a', 'b', 'c', 'd');
    await inTx((tx) => storeEffects(tx, 'other:job', [effect('x')], false, NOW));
    const done = await send(1, 'a');
    await inTx((tx) => finishEffect(tx, done, '1', NOW));
    const doubt = await send(1, 'b');
    await inTx((tx) => doubtEffects(tx, [doubt], NOW, 'lost'));
    expect(await countOpen(db, JOB)).toEqual({ doubt: 1, pending: 2 });
  });

  test('law: whatever happens to effects, at most one run has each, and a reservation has one holder', async () => {
    const step = fc.record({
      run: fc.integer({ min: 1, max: 3 }),
      key: fc.constantFrom('a', 'b', 'c'),
      end: fc.constantFrom('done', 'release', 'doubt', 'none'),
    });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        round += 1;
        const named = (key: string) => `${round}:${key}`;
        await store(named('a'), named('b'), named('c'));
        const holder = new Map<string, 'taken' | 'doubt' | 'done'>();
        for (const { run, key, end } of steps) {
          const free =
            !holder.has(key) && ![...holder.values()].some((state) => state === 'taken' || state === 'doubt');
          const had = await claim(run, [named(key), `phone:${round}`]);
          expect(had.length > 0).toBe(free);
          if (!free) continue;
          const id = await idOf(named(key));
          holder.set(key, 'taken');
          if (end === 'done') {
            await inTx((tx) => finishEffect(tx, id, '1', NOW));
            holder.set(key, 'done');
          }
          if (end === 'release') {
            await inTx((tx) => releaseEffects(tx, [id]));
            holder.delete(key);
          }
          if (end === 'doubt') {
            await inTx((tx) => doubtEffects(tx, [id], NOW, 'lost'));
            holder.set(key, 'doubt');
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  describe('updates of a link', () => {
    const LINK = 'amocrm:deal:kaspi:1';

    async function bind(price: number): Promise<void> {
      const link = { key: LINK, kind: KIND, remoteId: '77', applied: { price } };
      await inTx((tx) => saveLinks(tx, [link], NOW));
    }

    /** Takes a revision and stores its update, as a pass does. */
    function plan(revision: number, price: number): Promise<boolean> {
      const revises = { link: LINK, revision, planned: { price } };
      return inTx(async (tx) => {
        const taken = (await takeRevision(tx, revises, NOW)) !== undefined;
        if (taken) {
          const update = effect(revisionKey(LINK, revision), { payload: { to: { price } }, revises });
          await storeEffects(tx, JOB, [update], false, NOW);
        }
        return taken;
      });
    }
    const link = async () => (await linkStates(db, [LINK])).get(LINK);

    test('a link knows what was written, what was asked for, and its revision', async () => {
      expect(await link()).toBeUndefined();
      await bind(100);
      expect(await link()).toEqual({
        key: LINK,
        remoteId: '77',
        applied: { price: 100 },
        planned: { price: 100 },
        revision: 0,
      });
      await plan(1, 90);
      expect(await link()).toMatchObject({ applied: { price: 100 }, planned: { price: 90 }, revision: 1 });
      await bind(90);
      expect(await link()).toMatchObject({ applied: { price: 90 }, planned: { price: 90 }, revision: 1 });
    });

    test('of two runs that take the same revision one wins', async () => {
      await bind(100);
      expect((await Promise.all([plan(1, 90), plan(1, 80)])).sort()).toEqual([false, true]);
      expect(await plan(1, 70)).toBe(false);
      expect(await plan(3, 70)).toBe(false);
      expect(await link()).toMatchObject({ revision: 1 });
      expect(await readyKeys()).toEqual([`${LINK}#1`]);
    });

    test('a newer update supersedes older ones that were not begun, failed ones too', async () => {
      await bind(100);
      await plan(1, 90);
      const first = await send(1, `${LINK}#1`);
      await inTx((tx) => failEffect(tx, first, 'refused', later(1)));
      await plan(2, 80);
      expect(await stateOf(`${LINK}#1`)).toBe('superseded');
      await plan(3, 70);
      expect(await readyKeys(later(60))).toEqual([`${LINK}#3`]);
      expect(await countOpen(db, JOB)).toEqual({ pending: 1 });
    });

    test.each(['claimed', 'sending', 'doubt'] as const)(
      'an update that is %s is under way, not superseded',
      async (state) => {
        await bind(100);
        await plan(1, 90);
        const id = await idOf(`${LINK}#1`);
        await claim(1, [`${LINK}#1`]);
        if (state !== 'claimed') await inTx((tx) => markSending(tx, 1, [id], NOW));
        if (state === 'doubt') await inTx((tx) => doubtEffects(tx, [id], NOW, 'lost'));
        const underWay = { key: `${LINK}#1`, payload: { to: { price: 90 } } };
        expect(await link()).toMatchObject({ revision: 1, underWay });
        await plan(2, 80);
        expect(await stateOf(`${LINK}#1`)).toBe(state);
        expect(await link()).toMatchObject({ revision: 2, underWay });
        await plan(3, 100);
        expect(await link()).toMatchObject({ revision: 3, underWay });
        expect(await stateOf(`${LINK}#2`)).toBe('superseded');
      },
    );

    test('an older update whose doubt ended in vain is superseded with the ones after it', async () => {
      await bind(100);
      await plan(1, 90);
      const id = await send(1, `${LINK}#1`);
      await inTx((tx) => doubtEffects(tx, [id], NOW, 'lost'));
      await plan(2, 80);
      for (let look = 1; look <= 2; look++) {
        const row = await doubtfulRow(`${LINK}#1`);
        await inTx((tx) => lookedInVain(tx, row, NOW));
      }
      expect(await link()).not.toHaveProperty('underWay');
      await plan(3, 70);
      expect(await readyKeys()).toEqual([`${LINK}#3`]);
    });

    test('an update that left us and was not finished is known until a later one is done', async () => {
      await bind(100);
      await plan(1, 90);
      const first = await send(1, `${LINK}#1`);
      await inTx((tx) => releaseEffects(tx, [first]));
      expect(await link()).toMatchObject({ interrupted: true });
      await plan(2, 80);
      expect(await link()).toMatchObject({ revision: 2, interrupted: true });
      const second = await send(1, `${LINK}#2`);
      await inTx((tx) => finishEffect(tx, second, '77', NOW));
      expect(await link()).not.toHaveProperty('interrupted');
      await plan(3, 70);
      expect(await link()).not.toHaveProperty('interrupted');
    });

    test('what an update makes needless is superseded, and named where it is under way already', async () => {
      await bind(100);
      const others = ['link:a', 'link:b', 'link:c', 'link:d'];
      await store(...others);
      await claim(1, ['link:a']);
      await send(1, 'link:b');
      const third = await send(1, 'link:c');
      await inTx((tx) => finishEffect(tx, third, '5', NOW));
      const revises = { link: LINK, revision: 1, planned: {}, supersedes: others };
      const underWay = await inTx((tx) => takeRevision(tx, revises, NOW));
      expect(underWay?.sort()).toEqual(['link:a', 'link:b']);
      expect(await Promise.all(others.map(stateOf))).toEqual(['claimed', 'sending', 'done', 'superseded']);
    });

    test('links whose keys begin alike do not see each other', async () => {
      await bind(100);
      const other = { key: `${LINK}0`, kind: KIND, remoteId: '78', applied: { price: 5 } };
      await inTx((tx) => saveLinks(tx, [other], NOW));
      await plan(1, 90);
      await claim(1, [`${LINK}#1`]);
      const states = await linkStates(db, [LINK, other.key]);
      expect(states.get(other.key)).toEqual({
        key: other.key,
        remoteId: '78',
        applied: { price: 5 },
        planned: { price: 5 },
        revision: 0,
      });
    });
  });

  test.each<[string, (tx: Tx) => Promise<unknown>]>([
    ['counting', (tx) => countOpen(tx, JOB)],
    ['reading what is ready', (tx) => readyEffects(tx, JOB, KIND, 0, 100, NOW)],
    ['reading doubts', (tx) => doubtfulEffects(tx, JOB, KIND, NOW)],
    ['the next look', (tx) => nextLookAt(tx, JOB)],
    ['inheriting', (tx) => inheritEffects(tx, JOB, 1, (_kind, at) => at)],
  ])('%s reads the index of open effects, not the whole table', async (_, query) => {
    const plan = await planOf(query);
    expect(plan).toContain('outbox_open');
    expect(plan).not.toMatch(/SCAN outbox(?! USING)|Seq Scan/);
  });

  /** How the engine would carry out the first query of a function. */
  async function planOf(query: (tx: Tx) => Promise<unknown>): Promise<string> {
    const compiled: CompiledQuery[] = [];
    await query(
      db.withPlugin({
        transformQuery: ({ node, queryId }) => {
          compiled.push(db.getExecutor().compileQuery(node as RootOperationNode, queryId));
          return node;
        },
        transformResult: async ({ result }) => result,
      }),
    );
    const [first] = compiled;
    if (!first) throw new Error('no query was made');
    return inTx(async (tx) => {
      // A table of a few rows is read whole unless that is forbidden; an index that does not fit is not used even then.
      if (dialect === 'postgres') await sql`SET LOCAL enable_seqscan = off`.execute(tx);
      const explain = dialect === 'postgres' ? 'EXPLAIN' : 'EXPLAIN QUERY PLAN';
      const { rows } = await tx.executeQuery(CompiledQuery.raw(`${explain} ${first.sql}`, [...first.parameters]));
      return JSON.stringify(rows);
    });
  }
});
