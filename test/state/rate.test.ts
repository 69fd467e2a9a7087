import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/state/database.ts';
import { breakerState, relax, strike, takeSlot } from '../../src/state/rate.ts';
import { type Children, children } from '../support/child.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const START = Date.parse('2026-05-01T10:00:00.000Z');
const MINUTE = 60_000;
const at = (ms: number) => new Date(START + ms);

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;
  let database: Database;
  let other: Database;
  let processes: Children | undefined;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
    database = fresh.database;
    other = await openDatabase({ url: fresh.url, baseDir: fresh.dir });
    processes = undefined;
  });
  afterEach(async () => {
    await processes?.dispose();
    await other.close();
    await fresh.dispose();
  });

  test('two connections queue in one line', async () => {
    const waits: unknown[] = [];
    for (const target of [database, other, database, other]) waits.push(await takeSlot(target, 'amocrm', 200, at(0)));
    expect(waits).toEqual([{ waitMs: 0 }, { waitMs: 200 }, { waitMs: 400 }, { waitMs: 600 }]);
    expect(await takeSlot(database, 'kaspi', 200, at(0))).toEqual({ waitMs: 0 });
    expect(await takeSlot(database, 'amocrm', 200, at(650))).toEqual({ waitMs: 150 });
  });

  test('idle time is not saved up for a burst', async () => {
    await takeSlot(database, 'amocrm', 1000 / 6, at(0));
    expect(await takeSlot(database, 'amocrm', 1000 / 6, at(10_000))).toEqual({ waitMs: 0 });
    expect(await takeSlot(other, 'amocrm', 1000 / 6, at(10_000))).toEqual({ waitMs: 167 });
  });

  test('a clock that was set back does not stop the requests', async () => {
    await takeSlot(database, 'amocrm', 200, at(3_600_000));
    expect(await takeSlot(database, 'amocrm', 200, at(0))).toEqual({ waitMs: 0 });
    expect(await takeSlot(database, 'amocrm', 200, at(0))).toEqual({ waitMs: 200 });
    await strike(database, 'amocrm', 'blocked', at(10 * 60 * MINUTE));
    expect(await takeSlot(database, 'amocrm', 200, at(1000))).toEqual({ waitMs: 0 });
  });

  test('processes of their own never get one place twice', async () => {
    processes = await children();
    const { start } = processes;
    const all = [1, 2, 3].map(() => start('slots', fresh.url, fresh.dir, `25,100,${START}`));
    const slots = (await Promise.all(all.map((child) => child.next()))) as { waitMs: number }[][];
    const waits = slots.flat().map((slot) => slot.waitMs);
    expect(waits.sort((a, b) => a - b)).toEqual(Array.from({ length: 75 }, (_, i) => i * 100));
  });

  test('three refusals in a row open the breaker, for all', async () => {
    expect(await strike(database, 'amocrm', 'rate', at(0))).toBeUndefined();
    expect(await strike(other, 'amocrm', 'rate', at(1))).toBeUndefined();
    expect(await strike(database, 'amocrm', 'rate', at(2))).toEqual(at(MINUTE + 2));
    expect(await takeSlot(other, 'amocrm', 200, at(3))).toEqual({ openUntil: at(MINUTE + 2) });
    expect(await takeSlot(other, 'kaspi', 200, at(3))).toEqual({ waitMs: 0 });
    expect(await takeSlot(other, 'amocrm', 200, at(MINUTE + 2))).toEqual({ waitMs: 0 });
  });

  test('a good answer in between breaks the row', async () => {
    await strike(database, 'amocrm', 'rate', at(0));
    await strike(database, 'amocrm', 'rate', at(1));
    await relax(other, 'amocrm');
    expect(await strike(database, 'amocrm', 'rate', at(2))).toBeUndefined();
    expect(await breakerState(database.db, 'amocrm', at(3))).toEqual({ strikes: 1, opened: 0, openUntil: undefined });
    await relax(database, 'never asked');
  });

  test('a block opens at once, with pauses that grow and are forgotten after a quiet hour', async () => {
    let now = 0;
    for (const minutes of [1, 5, 15, 60, 60]) {
      const until = now + minutes * MINUTE;
      expect(await strike(database, 'amocrm', 'blocked', at(now))).toEqual(at(until));
      expect(await breakerState(other.db, 'amocrm', at(now))).toMatchObject({ openUntil: at(until) });
      now = until;
    }
    expect(await breakerState(other.db, 'amocrm', at(now))).toEqual({ strikes: 0, opened: 5, openUntil: undefined });
    now += 61 * MINUTE;
    expect(await strike(database, 'amocrm', 'blocked', at(now))).toEqual(at(now + MINUTE));
  });

  test('answers that come in while it is open do not lengthen the pause', async () => {
    const until = await strike(database, 'amocrm', 'blocked', at(0));
    for (let i = 1; i < 6; i++) expect(await strike(other, 'amocrm', i % 2 ? 'blocked' : 'rate', at(i))).toEqual(until);
    expect(await breakerState(database.db, 'amocrm', at(9))).toEqual({ strikes: 0, opened: 1, openUntil: until });
  });
});
