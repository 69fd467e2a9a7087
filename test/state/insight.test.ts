import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { dailyStats } from '../../src/insight/stats.ts';
import { statusReport } from '../../src/insight/status.ts';
import { openAlert } from '../../src/state/alerts.ts';
import { keepFailed } from '../../src/state/failed-records.ts';
import { advanceCursor, setHeartbeat } from '../../src/state/meta.ts';
import { strike } from '../../src/state/rate.ts';
import { closeRun, openRun } from '../../src/state/runs.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const requests = 7;
const counts = { fetched: 9, created: 3, updated: 2, skipped: 4, failed: 0 };

describe.each(dialects)('%s', (dialect) => {
  let fresh: FreshDatabase;

  beforeEach(async () => {
    fresh = await freshDatabase(dialect);
  });

  afterEach(async () => {
    await fresh.dispose();
  });

  const pass = async (job: string, startedAt: string, finishedAt: string, error: string | null = null) => {
    const { db } = fresh.database;
    const id = await openRun(db, { job, startedAt, host: 'h', pid: 1 });
    const outcome = error === null ? 'ok' : 'failed';
    const exitCode = error === null ? 0 : 69;
    await closeRun(db, id, { job, finishedAt, outcome, exitCode, counts, requests, error, zone: 'Asia/Almaty' });
    return id;
  };

  test('status shows the last pass of each job, and what waits, fails, expires and alarms', async () => {
    const { database } = fresh;
    const { db } = database;
    const now = new Date('2026-05-01T10:00:00.000Z');
    await pass('kaspi:poll', '2026-05-01T09:00:00.000Z', '2026-05-01T09:00:05.000Z');
    const failed = await pass('kaspi:poll', '2026-05-01T09:01:00.000Z', '2026-05-01T09:01:05.000Z', 'Kaspi is silent');
    await openRun(db, { job: 'other:job', startedAt: '2026-05-01T09:59:00.000Z', host: 'h', pid: 2 });
    await setHeartbeat(db, 'kaspi:poll', new Date('2026-05-01T09:00:05.000Z'));
    await advanceCursor(db, 'kaspi:poll', '2026-05-01T09:00:00.000Z', now);
    const effect = {
      job: 'kaspi:poll',
      kind: 'amocrm.deal',
      record_kind: 'kaspi-order',
      created_at: now.toISOString(),
    };
    await db
      .insertInto('outbox')
      .values([
        { ...effect, key: 'a', record_key: '1', state: 'pending' },
        { ...effect, key: 'b', record_key: '2', state: 'pending' },
        { ...effect, key: 'c', record_key: '3', state: 'doubt' },
        { ...effect, key: 'd', record_key: '4', state: 'done' },
      ])
      .execute();
    await keepFailed(db, 'kaspi:poll', { kind: 'kaspi-order', key: '5' }, 'unknown state', now);
    await openAlert(db, 'max_changes', 'kaspi:poll', 'too many changes', now);
    await strike(database, 'amocrm', 'blocked', now);
    const issued = { issued_at: now.toISOString(), updated_at: now.toISOString(), refresh_token: null };
    await db
      .insertInto('tokens')
      .values({ system: 'amocrm', access_token: 'secret', expires_at: '2026-05-01T22:30:00.000Z', ...issued })
      .execute();

    const report = await statusReport(database, now, ['amo:refresh-token', 'kaspi:poll']);

    expect(report.jobs.map((job) => job.job)).toEqual(['amo:refresh-token', 'kaspi:poll', 'other:job']);
    expect(report.jobs[0]).toMatchObject({ last_run: null, cursor: null, heartbeat_age_seconds: null });
    expect(report.jobs[1]).toMatchObject({
      last_run: { id: failed, outcome: 'failed', exit_code: 69, error: 'Kaspi is silent', fetched: 9 },
      cursor: '2026-05-01T09:00:00.000Z',
      heartbeat_age_seconds: 3595,
    });
    expect(report.jobs[2]?.last_run).toMatchObject({ outcome: 'running', finished_at: null });
    expect(report.backlog).toEqual({ pending: 2, doubt: 1 });
    expect(report.failed_records).toEqual({ 'kaspi-order': 1 });
    expect(report.tokens).toEqual([{ system: 'amocrm', expires_at: '2026-05-01T22:30:00.000Z', hours_left: 12.5 }]);
    expect(report.breakers).toEqual([{ system: 'amocrm', open_until: expect.stringMatching(/^2026-05-01T10:/) }]);
    expect(report.alerts).toEqual([
      { kind: 'max_changes', subject: 'kaspi:poll', opened_at: now.toISOString(), message: 'too many changes' },
    ]);
    expect(JSON.stringify(report)).not.toContain('secret');
  });

  test('stats count the days of the zone, and no other', async () => {
    // 19:00 UTC is midnight in Almaty (UTC+5).
    await pass('kaspi:poll', '2026-04-28T18:59:00.000Z', '2026-04-28T18:59:59.000Z');
    await pass('kaspi:poll', '2026-04-28T19:00:00.000Z', '2026-04-28T19:00:01.000Z');
    await pass('kaspi:poll', '2026-04-30T20:00:00.000Z', '2026-04-30T20:00:01.000Z');
    const report = await dailyStats(fresh.database, new Date('2026-04-30T20:30:00.000Z'), 3, 'Asia/Almaty');
    expect(report).toMatchObject({ from: '2026-04-29', to: '2026-05-01', total: { fetched: 18, requests: 14 } });
    expect(report.days).toEqual([
      { date: '2026-05-01', job: 'kaspi:poll', ...counts, requests },
      { date: '2026-04-29', job: 'kaspi:poll', ...counts, requests },
    ]);
  });
});
