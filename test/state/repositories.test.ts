import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dropCached, getCached, putCached } from '../../src/state/cache.ts';
import type { Database } from '../../src/state/database.ts';
import {
  advanceCursor,
  deleteMeta,
  getHeartbeat,
  getMeta,
  readCursor,
  setHeartbeat,
  setMeta,
  setMetaOnce,
} from '../../src/state/meta.ts';
import { closeRun, dayIn, openRun } from '../../src/state/runs.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const NOW = new Date('2026-05-01T10:00:00.000Z');

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;
  let database: Database;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
    database = fresh.database;
  });
  afterEach(() => fresh.dispose());

  test('meta: set, set again, set once, delete', async () => {
    const { db } = database;
    expect(await getMeta(db, 'k')).toBeUndefined();
    await setMeta(db, 'k', 'one', NOW);
    await setMeta(db, 'k', 'two', NOW);
    expect(await getMeta(db, 'k')).toBe('two');
    expect(await setMetaOnce(db, 'k', 'three', NOW)).toBe('two');
    await deleteMeta(db, 'k');
    expect(await getMeta(db, 'k')).toBeUndefined();
    await setHeartbeat(db, 'kaspi:poll', NOW);
    expect(await getHeartbeat(db, 'kaspi:poll')).toBe('2026-05-01T10:00:00.000Z');
  });

  test('a cursor never falls, whatever the order of its moves', async () => {
    const instants = fc.array(fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true }), {
      minLength: 1,
      maxLength: 6,
    });
    let job = 0;
    await fc.assert(
      fc.asyncProperty(instants, async (moves) => {
        job += 1;
        let highest = '';
        for (const to of moves) {
          await advanceCursor(database.db, `job:${job}`, to, NOW);
          highest = to.toISOString() > highest ? to.toISOString() : highest;
          expect(await readCursor(database.db, `job:${job}`)).toBe(highest);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('a cursor is stored in UTC with milliseconds, however it is given', async () => {
    await advanceCursor(database.db, 'kaspi:poll', '2026-05-01T15:00:00+05:00', NOW);
    expect(await readCursor(database.db, 'kaspi:poll')).toBe('2026-05-01T10:00:00.000Z');
    await expect(advanceCursor(database.db, 'kaspi:poll', 'yesterday', NOW)).rejects.toMatchObject({ exit: 70 });
  });

  test('a run opens, closes once, and counts towards its day in the zone', async () => {
    const { db } = database;
    const start = { job: 'kaspi:poll', startedAt: NOW, host: 'h', pid: 1 };
    const counts = { fetched: 5, created: 3, updated: 1, skipped: 1, failed: 0 };
    // 20:30 UTC is the next day in Almaty.
    const end = {
      job: 'kaspi:poll',
      finishedAt: new Date('2026-05-01T20:30:00Z'),
      outcome: 'ok' as const,
      exitCode: 0,
      counts,
      requests: 7,
      error: null,
      zone: 'Asia/Almaty',
    };
    const first = await openRun(db, start);
    const second = await openRun(db, start);
    expect(second).toBeGreaterThan(first);
    await closeRun(db, first, end);
    await closeRun(db, second, { ...end, outcome: 'failed', exitCode: 69, error: 'no answer' });
    await expect(closeRun(db, second, end)).rejects.toMatchObject({ exit: 70 });
    expect(await db.selectFrom('daily_stats').selectAll().execute()).toEqual([
      {
        date: '2026-05-02',
        job: 'kaspi:poll',
        fetched: 10,
        created: 6,
        updated: 2,
        skipped: 2,
        failed: 0,
        requests: 14,
      },
    ]);
    expect(await db.selectFrom('runs').selectAll().where('id', '=', second).executeTakeFirst()).toEqual({
      id: second,
      job: 'kaspi:poll',
      started_at: '2026-05-01T10:00:00.000Z',
      finished_at: '2026-05-01T20:30:00.000Z',
      outcome: 'failed',
      exit_code: 69,
      ...counts,
      requests: 7,
      error: 'no answer',
      host: 'h',
      pid: 1,
    });
  });

  test('cached answers age', async () => {
    const { db } = database;
    const later = (ms: number) => new Date(NOW.getTime() + ms);
    await putCached(db, 'amocrm:account', { id: 1, fields: [null, 'x'] }, NOW);
    expect(await getCached(db, 'amocrm:account', 1000, later(1000))).toEqual({ id: 1, fields: [null, 'x'] });
    expect(await getCached(db, 'amocrm:account', 1000, later(1001))).toBeUndefined();
    await putCached(db, 'amocrm:account', 'newer', later(1001));
    expect(await getCached(db, 'amocrm:account', 1000, later(1001))).toBe('newer');
    await dropCached(db, 'amocrm:account');
    expect(await getCached(db, 'amocrm:account', 1000, later(1001))).toBeUndefined();
  });
});

test.each([
  ['Asia/Almaty', '2026-05-01T18:59:59.999Z', '2026-05-01'],
  ['Asia/Almaty', '2026-05-01T19:00:00.000Z', '2026-05-02'],
  ['Europe/Moscow', '2026-12-31T21:00:00.000Z', '2027-01-01'],
  ['UTC', '2026-02-28T23:59:59.000Z', '2026-02-28'],
  ['America/New_York', '2026-03-08T04:30:00.000Z', '2026-03-07'],
])('the day in %s at %s is %s', (zone, instant, day) => {
  expect(dayIn(zone, instant)).toBe(day);
});

test('an unknown zone is a settings fault', () => {
  expect(() => dayIn('Asia/Nowhere', NOW)).toThrow(expect.objectContaining({ code: 'TIMEZONE_INVALID', exit: 78 }));
});
