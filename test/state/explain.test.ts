import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Effect } from '../../src/domain/effect.ts';
import { explain } from '../../src/insight/explain.ts';
import { failedRecords } from '../../src/insight/failed.ts';
import { lastRuns } from '../../src/insight/last-runs.ts';
import { statusReport } from '../../src/insight/status.ts';
import { openAlert } from '../../src/state/alerts.ts';
import { failedKeys, forgetFailed, keepFailed } from '../../src/state/failed-records.ts';
import { saveLinks } from '../../src/state/links.ts';
import { advanceCursor, setMeta } from '../../src/state/meta.ts';
import {
  claimEffects,
  doubtEffects,
  failEffect,
  finishEffect,
  markSending,
  postponeLook,
  readyEffects,
  storeEffects,
} from '../../src/state/outbox.ts';
import { strike } from '../../src/state/rate.ts';
import { saveClick, settleClick } from '../../src/state/retail.ts';
import { failedRefs, ignoreRecord, reviveRecord } from '../../src/state/retries.ts';
import { openRun } from '../../src/state/runs.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';
import { fullScans, plansOf } from '../support/plans.ts';

const JOB = 'kaspi:poll';
const CODE = '1019876543';
const T0 = new Date('2026-05-01T10:00:00.000Z');
const at = (minutes: number) => new Date(T0.getTime() + minutes * 60_000);

const contact = `amocrm:contact:kaspi:${CODE}`;
const deal = `amocrm:deal:kaspi:${CODE}`;
const note = `amocrm:note:kaspi:${CODE}:goods`;

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
  });

  afterEach(async () => {
    await fresh.dispose();
  });

  const effect = (key: string, needs: readonly string[] = [], code = CODE): Effect => ({
    key,
    kind: `amocrm.${key.split(':')[1]}`,
    record: { kind: 'kaspi-order', key: code },
    needs,
    payload: { name: 'Айгерим' },
  });

  const idOf = async (key: string) =>
    (await fresh.database.db.selectFrom('outbox').select('id').where('key', '=', key).executeTakeFirstOrThrow()).id;

  const seen = async (code = CODE) => {
    await fresh.database.db
      .insertInto('kaspi_orders')
      .values({
        order_code: code,
        kaspi_id: `id-${code}`,
        state: 'NEW',
        status: 'APPROVED_BY_BANK',
        total_price: 12990.5,
        ordered_at: at(-3).toISOString(),
        created_at: at(0).toISOString(),
        updated_at: at(0).toISOString(),
      })
      .execute();
  };

  const plan = (...effects: Effect[]) => storeEffects(fresh.database.db, JOB, effects, false, at(0));
  const ours = () => plan(effect(contact), effect(deal, [contact]), effect(note, [deal]));
  const run = () => openRun(fresh.database.db, { job: JOB, startedAt: at(0), host: 'shop', pid: 4711 });

  const send = async (key: string, runId: number) => {
    const { db } = fresh.database;
    const id = await idOf(key);
    await claimEffects(db, runId, [{ id, reservation: undefined, bound: undefined }], at(1));
    await markSending(db, runId, [id], at(1));
    return id;
  };

  const done = async (key: string, runId: number, remoteId: string) => {
    const { db } = fresh.database;
    await finishEffect(db, await send(key, runId), remoteId, at(2));
    await saveLinks(db, [{ key, kind: `amocrm.${key.split(':')[1]}`, remoteId }], at(2));
  };

  const tell = (kind = 'kaspi-order', id = CODE, now = at(5)) => explain(fresh.database, kind, id, now);

  describe('the next action of an order', () => {
    test('planned and not yet sent: the next pass takes it, or waits for the pause to end', async () => {
      await seen();
      await ours();
      expect((await tell()).next).toMatchObject({
        action: 'send',
        text: 'the contact goes out with the next pass of kaspi:poll',
      });
      await strike(fresh.database, 'amocrm', 'blocked', at(4.5));
      expect((await tell()).next).toMatchObject({ action: 'wait', at: at(5.5).toISOString() });
      expect((await tell()).next.text).toContain('no request to amocrm leaves before 2026-05-01 10:05:30');
    });

    test('delivered: nothing to do, and the timeline tells when and by whom', async () => {
      await seen();
      await ours();
      const runId = await run();
      await done(contact, runId, '501');
      await done(deal, runId, '901');
      await done(note, runId, '77');
      const { found, records, next } = await tell();
      expect(found).toBe(true);
      expect(next).toEqual({ action: 'none', at: null, text: 'nothing to do: deal 901 stands' });
      const story = records[0];
      expect(story?.timeline.map(({ at: when, event, what, by }) => [when, event, what, by])).toEqual([
        [at(-3).toISOString(), 'ordered', 'at Kaspi', null],
        [at(0).toISOString(), 'first seen', 'state NEW, status APPROVED_BY_BANK, total 12990.5', null],
        [at(0).toISOString(), 'planned', 'amocrm.contact', JOB],
        [at(0).toISOString(), 'planned', 'amocrm.deal', JOB],
        [at(0).toISOString(), 'planned', 'amocrm.note', JOB],
        [at(1).toISOString(), 'sent', 'amocrm.contact', `run ${runId}`],
        [at(1).toISOString(), 'sent', 'amocrm.deal', `run ${runId}`],
        [at(1).toISOString(), 'sent', 'amocrm.note', `run ${runId}`],
        [at(2).toISOString(), 'done', 'amocrm.contact → 501', `run ${runId}`],
        [at(2).toISOString(), 'done', 'amocrm.deal → 901', `run ${runId}`],
        [at(2).toISOString(), 'done', 'amocrm.note → 77', `run ${runId}`],
      ]);
      expect(story?.runs).toEqual([expect.objectContaining({ id: runId, job: JOB, host: 'shop', pid: 4711 })]);
    });

    test('in doubt: says when it is looked up, and how often that was in vain', async () => {
      await ours();
      const runId = await run();
      await done(contact, runId, '501');
      const id = await send(deal, runId);
      await doubtEffects(fresh.database.db, [id], at(7), 'no answer in time');
      const { next, records } = await tell();
      expect(next).toMatchObject({ action: 'look', at: at(7).toISOString() });
      expect(next.text).toContain('whether the deal was written: looked up at amocrm again at 2026-05-01 10:07:00');
      expect(next.text).toContain('looked in vain 0 of 2 times');
      expect(records[0]?.timeline).toContainEqual(
        expect.objectContaining({ event: 'in doubt', what: 'amocrm.deal: no answer in time (once)' }),
      );
      await postponeLook(fresh.database.db, [id], at(3), 'the list cannot be read');
      expect((await tell()).next.text).toContain('with the next pass of kaspi:poll');
    });

    test('being sent: names the run and its process; left behind by an ended run: looked into', async () => {
      await ours();
      const runId = await run();
      await send(contact, runId);
      expect((await tell()).next).toMatchObject({
        action: 'send',
        text: expect.stringContaining('process 4711 on shop'),
      });
      await fresh.database.db
        .updateTable('runs')
        .set({ finished_at: at(2).toISOString() })
        .where('id', '=', runId)
        .execute();
      expect((await tell()).next).toMatchObject({
        action: 'look',
        text: expect.stringContaining(`when run ${runId} ended`),
      });
    });

    test('refused: the reason, when it is tried again, and the command that tries at once', async () => {
      await ours();
      const runId = await run();
      await done(contact, runId, '501');
      await failEffect(fresh.database.db, await send(deal, runId), 'unknown stage 5', at(9));
      await keepFailed(fresh.database.db, JOB, { kind: 'kaspi-order', key: CODE }, 'unknown stage 5', at(2));
      const [row] = await failedRecords(fresh.database, { ignored: false });
      expect(row).toMatchObject({ key: CODE, reason: 'unknown stage 5', waiting: { failed: 1, pending: 1 } });
      expect(row?.next_attempt_at).toBe(at(3).toISOString());
      const { next, records } = await tell('kaspi-order', CODE, at(2.5));
      expect(next).toMatchObject({ action: 'retry', at: at(3).toISOString() });
      expect(next.text).toContain('(the deal: unknown stage 5)');
      expect(next.text).toContain(`\`sdelka retry ${row?.id}\``);
      expect(records[0]?.timeline).toContainEqual(
        expect.objectContaining({ event: 'refused', what: 'amocrm.deal: unknown stage 5 (once)' }),
      );
    });

    test('delivered with a fault that a person should mend: the deal stands, and the order is looked at again', async () => {
      await ours();
      const runId = await run();
      for (const [key, id] of [
        [contact, '501'],
        [deal, '901'],
        [note, '77'],
      ] as const) {
        await done(key, runId, id);
      }
      const record = { kind: 'kaspi-order', key: CODE };
      await keepFailed(fresh.database.db, JOB, record, 'the phone cannot be read', at(2));
      const [ref] = await failedRefs(fresh.database.db, 'all');
      expect((await tell('kaspi-order', CODE, at(2))).next.text).toBe(
        `deal 901 stands; tried again at 2026-05-01 10:03:00 (the phone cannot be read); \`sdelka retry ${ref?.id}\` tries at once; \`sdelka ignore ${ref?.id} --why …\` sets it aside`,
      );
      expect((await tell('kaspi-order', CODE, at(4))).next.text).toBe(
        `deal 901 stands; tried again with the next pass of kaspi:poll (the phone cannot be read); \`sdelka ignore ${ref?.id} --why …\` sets it aside`,
      );
    });

    test('waiting for goods that another order has planned: names that order and its trouble', async () => {
      const good = 'amocrm:good:5501:TEA';
      const link = `amocrm:good-link:kaspi:${CODE}:TEA`;
      await plan(effect(good, [], '1000000001'));
      await plan(effect(link, [good]));
      const runId = await run();
      await failEffect(fresh.database.db, await send(good, runId), 'no such field', at(9));
      const { next } = await tell();
      expect(next).toMatchObject({ action: 'wait', at: at(9).toISOString() });
      expect(next.text).toContain(
        'the good link waits for the good of kaspi-order 1000000001, which was refused (no such field)',
      );
    });

    test('waiting for what is nowhere: says so instead of promising anything', async () => {
      await plan(effect(note, [deal]));
      expect((await tell()).next).toMatchObject({
        action: 'wait',
        text: expect.stringContaining('neither planned nor bound'),
      });
    });

    test('stopped by the limit of changes: a person has to confirm', async () => {
      await ours();
      await openAlert(fresh.database.db, 'max_changes', JOB, 'too many', at(1));
      expect((await tell()).next).toMatchObject({
        action: 'person',
        text: expect.stringContaining('sdelka kaspi:poll --confirm'),
      });
    });

    test("a person's change and a deal that is gone are told with the order, others' alerts are not", async () => {
      await ours();
      const runId = await run();
      for (const [key, id] of [
        [contact, '501'],
        [deal, '901'],
        [note, '77'],
      ] as const)
        await done(key, runId, id);
      const { db } = fresh.database;
      await openAlert(
        db,
        'conflict',
        `kaspi-order:${CODE}:price`,
        'price of deal 901 was changed by someone else',
        at(3),
      );
      await openAlert(db, 'conflict', `kaspi-order:${CODE}9:price`, 'not ours', at(3));
      const conflict = await tell();
      expect(conflict.next.text).toBe(
        'nothing to do: deal 901 stands; open: price of deal 901 was changed by someone else',
      );
      expect(conflict.records[0]?.alerts).toHaveLength(1);
      await openAlert(db, 'deal_gone', `kaspi-order:${CODE}`, 'gone', at(4));
      expect((await tell()).next).toMatchObject({
        action: 'person',
        text: expect.stringContaining('deal 901 is gone'),
      });
    });

    test('a hundred goods linked at once are one line', async () => {
      const links = Array.from({ length: 100 }, (_, n) => `amocrm:good-link:kaspi:${CODE}:S${n}`);
      await plan(...links.map((key) => effect(key)));
      const runId = await run();
      for (const key of links) await done(key, runId, '901:1');
      const { records } = await tell();
      expect(records[0]?.effects).toHaveLength(100);
      expect(records[0]?.timeline.map(({ event, count }) => [event, count])).toEqual([
        ['planned', 100],
        ['sent', 100],
        ['done', 100],
      ]);
    });
  });

  test('a deal and a contact lead to their orders; strangers are not found, and it is said where they were looked for', async () => {
    const other = '1000000002';
    await ours();
    await plan(effect(`amocrm:contact:kaspi:${other}`, [], other));
    const runId = await run();
    await done(contact, runId, '501');
    await done(deal, runId, '901');
    await done(note, runId, '77');
    await done(`amocrm:contact:kaspi:${other}`, runId, '501');
    expect((await tell('lead', '901')).records.map(({ key }) => key)).toEqual([CODE]);
    const contacts = await tell('contact', '501');
    expect(contacts.records.map(({ key }) => key)).toEqual([other, CODE]);
    expect(contacts.next.text).toBe('nothing to do: all 2 records are settled');
    expect(await tell('lead', '501')).toMatchObject({ found: false, records: [] });
    await advanceCursor(fresh.database.db, JOB, at(4), at(4));
    const stranger = await tell('kaspi-order', '1');
    expect(stranger).toMatchObject({ found: false, next: { text: expect.stringContaining('never seen') } });
    expect(stranger.looked_for).toEqual([
      expect.stringContaining('Kaspi order 1:'),
      `kaspi:poll has read up to ${at(4).toISOString()}`,
    ]);
  });

  test('a click is known before the call records tell of its call, with and without the host', async () => {
    const click = { id: 'crm-0a1b2c', enterprise: '0001', extension: '201', phone: '+77010000001', requestedAt: at(1) };
    await saveClick(fresh.database, click);
    await settleClick(fresh.database, click.id, 'no answer');
    for (const id of [click.id, `pbx1:${click.id}`]) {
      const told = await tell('call', id);
      expect(told).toMatchObject({ found: true, next: { action: 'none', text: expect.stringContaining('no answer') } });
      expect(told.records[0]?.timeline).toEqual([
        expect.objectContaining({ event: 'clicked', what: 'by 201: no answer', at: at(1).toISOString() }),
      ]);
    }
    expect(await tell('call', 'crm-ffffff')).toMatchObject({ found: false });
  });

  describe('retry and ignore', () => {
    const refuse = async () => {
      await ours();
      const { db } = fresh.database;
      const runId = await run();
      await done(contact, runId, '501');
      await failEffect(db, await send(deal, runId), 'unknown stage 5', at(60));
      await keepFailed(db, JOB, { kind: 'kaspi-order', key: CODE }, 'unknown stage 5', at(2));
      const [ref] = await failedRefs(db, 'all');
      if (ref === undefined) throw new Error('nothing fails');
      return ref;
    };
    const ready = async (now: Date) => {
      const kinds = ['amocrm.contact', 'amocrm.deal', 'amocrm.note'];
      const rows = await Promise.all(kinds.map((kind) => readyEffects(fresh.database.db, JOB, kind, 0, 10, now)));
      return rows.flat().map(({ key }) => key);
    };
    const due = async (now: Date) => (await failedKeys(fresh.database.db, 'kaspi-order', now)).get(CODE);

    test('retry makes the record and its refused effects due now', async () => {
      const ref = await refuse();
      expect([await ready(at(2.5)), await due(at(2.5))]).toEqual([[note], false]);
      expect(await fresh.database.transaction((tx) => reviveRecord(tx, ref, at(2.5)))).toBe(1);
      expect([await ready(at(2.5)), await due(at(2.5))]).toEqual([[deal, note], true]);
      expect((await tell('kaspi-order', CODE, at(2.6))).next.text).toContain(
        'tried again with the next pass of kaspi:poll',
      );
    });

    test('ignore takes the refused effect and what waits for it out of the backlog; retry brings both back', async () => {
      const ref = await refuse();
      const aside = await fresh.database.transaction((tx) => ignoreRecord(tx, ref, 'called off', at(3)));
      expect(aside).toEqual({ effects: 2, underWay: 0, waiting: [] });
      expect([await ready(at(999)), await due(at(999))]).toEqual([[], false]);
      const report = await statusReport(fresh.database, at(3), []);
      expect(report).toMatchObject({ backlog: {}, failed_records: {}, ignored_records: 1 });
      expect(await failedRecords(fresh.database, { ignored: false })).toEqual([]);
      expect(await failedRecords(fresh.database, { ignored: true })).toEqual([
        expect.objectContaining({
          id: ref.id,
          ignored_why: 'called off',
          next_attempt_at: null,
          waiting: { ignored: 2 },
        }),
      ]);
      expect((await tell()).next).toMatchObject({ action: 'ignored', text: expect.stringContaining('called off') });

      expect(await fresh.database.transaction((tx) => reviveRecord(tx, ref, at(4)))).toBe(2);
      expect([await ready(at(4)), await due(at(4))]).toEqual([[deal, note], true]);
      const runId = await run();
      await done(deal, runId, '901');
      await forgetFailed(fresh.database.db, ref);
      expect(await failedRefs(fresh.database.db, 'all')).toEqual([]);
    });

    test('ignore leaves alone what is on its way, and names the orders that wait for the goods set aside', async () => {
      const good = 'amocrm:good:5501:TEA';
      const { db } = fresh.database;
      await plan(effect(good), effect(contact));
      await plan(effect('amocrm:good-link:kaspi:2:TEA', [good], '2'));
      const runId = await run();
      await send(contact, runId);
      await failEffect(db, await send(good, runId), 'no such field', at(60));
      await keepFailed(db, JOB, { kind: 'kaspi-order', key: CODE }, 'no such field', at(2));
      const [ref] = await failedRefs(db, 'all');
      if (ref === undefined) throw new Error('nothing fails');
      expect(await fresh.database.transaction((tx) => ignoreRecord(tx, ref, 'no', at(3)))).toEqual({
        effects: 1,
        underWay: 1,
        waiting: [{ kind: 'kaspi-order', key: '2' }],
      });
      expect((await tell('kaspi-order', '2')).next.text).toContain('set aside by ignore');
    });
  });

  test('status tells since when something waits, how long the token of the settings holds, and what the audit found', async () => {
    const { database } = fresh;
    expect(await statusReport(database, at(5), [])).toMatchObject({ backlog_since: null, tokens: [], audit: null });
    await ours();
    await storeEffects(database.db, 'other:job', [effect('amocrm:deal:kaspi:2', [], '2')], false, at(3));
    const audit = {
      stream: 'kaspi',
      at: at(1).toISOString(),
      counts: { lost: 1 },
      differences: [{ kind: 'lost', order: '7' }],
    };
    await setMeta(database.db, 'audit:kaspi', JSON.stringify(audit), at(1));
    const report = await statusReport(database, at(5), [], { system: 'amocrm', expiresAt: at(5 + 90) });
    expect(report).toMatchObject({ backlog: { pending: 4 }, backlog_since: at(0).toISOString(), audit });
    expect(report.tokens).toEqual([{ system: 'amocrm', expires_at: at(95).toISOString(), hours_left: 1.5 }]);
  });

  test('the last run of each job, whatever their number', async () => {
    const { db } = fresh.database;
    expect(await lastRuns(db)).toEqual([]);
    for (const job of ['b', 'a', 'c', 'a', 'b']) await openRun(db, { job, startedAt: at(0), host: 'h', pid: 1 });
    const newest = await db.selectFrom('runs').select(['id', 'job']).orderBy('id', 'desc').limit(3).execute();
    const expected = newest.sort((x, y) => x.job.localeCompare(y.job));
    expect((await lastRuns(db)).map(({ id, job }) => ({ id, job }))).toEqual(expected);
    expect(expected.map(({ job }) => job)).toEqual(['a', 'b', 'c']);
  });

  test('status, explain and failed reach every growing table through an index', async () => {
    const { database } = fresh;
    await seen();
    await ours();
    await run();
    await keepFailed(database.db, JOB, { kind: 'kaspi-order', key: CODE }, 'no', at(2));
    await fill();
    const plans = await plansOf(database, async (watched) => {
      await statusReport(watched, at(5), [JOB]);
      await explain(watched, 'kaspi-order', CODE, at(5));
      await explain(watched, 'lead', '700', at(5));
      await explain(watched, 'contact', '700', at(5));
      await failedRecords(watched, { ignored: false });
      await failedRecords(watched, { ignored: true, kind: 'kaspi-order' });
    });
    expect(plans.length).toBeGreaterThan(15);
    expect(fullScans(plans)).toEqual([]);
    // The check itself must be able to fail.
    const bad = await plansOf(database, ({ db }) =>
      db.selectFrom('outbox').select('id').where('last_error', '=', 'x').execute(),
    );
    expect(fullScans(bad)).toHaveLength(1);

    async function fill(): Promise<void> {
      const numbers = sql`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)`;
      const when = sql.lit(at(0).toISOString());
      const { db } = database;
      for (const kind of ['contact', 'deal']) {
        const key = sql`'amocrm:' || ${sql.lit(kind)} || ':kaspi:x' || i`;
        await sql`INSERT INTO outbox (key, job, kind, record_kind, record_key, state, created_at, done_at)
          ${numbers} SELECT ${key}, 'kaspi:poll', 'amocrm.' || ${sql.lit(kind)}, 'kaspi-order', 'x' || i, 'done', CAST(${when} AS ${timestamp()}), CAST(${when} AS ${timestamp()}) FROM n`.execute(
          db,
        );
        await sql`INSERT INTO links (key, kind, remote_id, created_at, updated_at)
          ${numbers} SELECT ${key}, 'amocrm.' || ${sql.lit(kind)}, CAST(i AS text), CAST(${when} AS ${timestamp()}), CAST(${when} AS ${timestamp()}) FROM n`.execute(
          db,
        );
      }
      await sql`INSERT INTO runs (job, started_at) ${numbers} SELECT 'kaspi:poll', CAST(${when} AS ${timestamp()}) FROM n`.execute(
        db,
      );
      await sql`INSERT INTO kaspi_orders (order_code, kaspi_id, state, status, total_price, ordered_at, created_at, updated_at)
        ${numbers} SELECT 'x' || i, 'k' || i, 'NEW', 'NEW', 1, CAST(${when} AS ${timestamp()}), CAST(${when} AS ${timestamp()}), CAST(${when} AS ${timestamp()}) FROM n`.execute(
        db,
      );
      // PostgreSQL gathers figures of its tables by itself, sooner or later; nobody does so for SQLite.
      if (dialect === 'postgres') await sql`ANALYZE`.execute(db);
    }

    function timestamp() {
      return sql.raw(dialect === 'sqlite' ? 'text' : 'timestamptz');
    }
  });
});
