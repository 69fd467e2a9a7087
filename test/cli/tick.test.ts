import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isDue } from '../../src/commands/tick.ts';
import { inWorld, type SandboxWorld, until } from '../support/sandbox-world.ts';

interface Summary {
  exit_code: number;
  jobs: { job: string; exit_code: number; result: Record<string, unknown> | null; error: string | null }[];
  not_due: string[];
  stopped_before: string[];
}

/** Intervals so long that no border of one falls into a test, except where a test asks for the other. */
const CALM = { WATCHDOG_EVERY: '3650d', AUDIT_EVERY: '3650d', AMO_REFRESH_TOKEN_EVERY: '3650d' };
const LONG = { ...CALM, KASPI_POLL_EVERY: '3650d', KASPI_RECONCILE_EVERY: '3650d' };

async function tick(world: SandboxWorld, ...args: string[]): Promise<Summary & { code: number | null }> {
  const { stdout, code } = await world.sdelka([...args, '--json', 'tick']);
  return { ...(JSON.parse(stdout) as Summary), code };
}

const names = (summary: Summary) => summary.jobs.map(({ job }) => job);

describe('a job is due once in each interval', () => {
  const MINUTE = 60_000;
  const now = new Date('2026-05-01T10:10:00.000Z');
  test.each([
    ['never started', undefined, 10 * MINUTE, true],
    ['started in this interval', '2026-05-01T10:10:00.000Z', 10 * MINUTE, false],
    ['started late in the one before, for other jobs went first', '2026-05-01T10:09:59.999Z', 10 * MINUTE, true],
    ['a minute that was a little short', '2026-05-01T10:09:01.900Z', MINUTE, true],
    ['once a day, this morning', '2026-05-01T00:00:05.000Z', 1440 * MINUTE, false],
    ['once a day, yesterday evening', '2026-04-30T23:59:59.000Z', 1440 * MINUTE, true],
    ['the clock was set back', '2026-05-01T11:00:00.000Z', 10 * MINUTE, true],
  ])('%s', (_name, last, every, due) => {
    expect(isDue(last, every, now)).toBe(due);
  });
});

test('runs what is due in turn, each with a run of its own, and nothing twice', () =>
  inWorld({ settings: LONG }, async (world) => {
    world.kaspi.standin.seed({ orders: [{ code: '1000000001' }] });
    const first = await tick(world);
    expect(first).toMatchObject({ code: 0, exit_code: 0, not_due: [], stopped_before: [] });
    expect(names(first).slice(0, 3)).toEqual(['kaspi:poll', 'kaspi:reconcile', 'amo:refresh-token']);
    expect(first.jobs[0]).toMatchObject({
      exit_code: 0,
      error: null,
      result: { created: expect.any(Number), outcome: 'ok' },
    });
    expect(world.dealsOf('1000000001')).toHaveLength(1);
    const runs = await world.rows('SELECT job FROM runs ORDER BY id');
    expect(runs.map(({ job }) => job)).toEqual(names(first));

    const second = await tick(world);
    expect(second).toMatchObject({ code: 0, jobs: [] });
    expect(second.not_due).toEqual(names(first));
    await world.rows("UPDATE runs SET started_at = '2001-01-01T00:00:00.000Z' WHERE job = 'kaspi:reconcile'");
    expect(names(await tick(world))).toEqual(['kaspi:reconcile']);
  }));

test('a job that fails keeps back no other; the exit code is the worst', () =>
  inWorld({ settings: LONG }, async (world) => {
    world.kaspi.fault({ match: 'GET /shop/api/v2/orders', kind: 'status', status: 401, times: 0 });
    const summary = await tick(world);
    expect(summary).toMatchObject({ code: 77, exit_code: 77 });
    expect(summary.jobs).toContainEqual(
      expect.objectContaining({ job: 'kaspi:poll', exit_code: 77, error: expect.stringContaining('kaspi') }),
    );
    expect(summary.jobs).toContainEqual(expect.objectContaining({ job: 'amo:refresh-token', exit_code: 0 }));
  }));

test('its log lines name the job, and its errors say what to do', () =>
  inWorld({ settings: LONG }, async (world) => {
    world.kaspi.fault({ match: 'GET /shop/api/v2/orders', kind: 'status', status: 401, times: 0 });
    const { lines } = await world.sdelka(['tick']);
    expect(lines).toContainEqual(expect.objectContaining({ job: 'kaspi:poll', exit: 77, hint: expect.any(String) }));
    expect(lines).toContainEqual(expect.objectContaining({ job: 'amo:refresh-token', msg: 'pass finished' }));
  }));

describe('jobs that are not set up', () => {
  test('are left out silently; those that ran here before are missed aloud; wrong settings are no silence', () =>
    inWorld({ settings: LONG }, async (world) => {
      await tick(world);
      await world.rewrite({ KASPI_API_TOKEN: undefined, AMO_RPS: '1000' });
      const missed = await world.sdelka(['tick']);
      expect(missed.code).toBe(0);
      expect(missed.lines).toContainEqual(
        expect.objectContaining({
          level: 40,
          job: 'kaspi:poll',
          msg: 'a job that ran here before is no longer configured',
        }),
      );
      await world.rows('DELETE FROM runs');
      const silent = await world.sdelka(['tick', '--json']);
      expect(silent.lines.filter(({ level }) => Number(level) >= 40)).toEqual([]);
      expect(names(JSON.parse(silent.stdout))).not.toContain('kaspi:poll');

      await world.rewrite({ AMO_RPS: 'many' });
      await world.rows('DELETE FROM runs');
      expect(await tick(world)).toMatchObject({ code: 78, exit_code: 78 });
    }));

  test('without a database: 78 and what to do', () =>
    inWorld({ migrate: false }, async (world) => {
      const outcome = await world.sdelka(['tick']);
      expect(outcome).toMatchObject({ code: 78, stdout: '' });
      expect(outcome.lines).toEqual([expect.objectContaining({ code: 'DATABASE_MISSING' })]);
    }));
});

test('a rehearsal shows the plans and leaves no run', () =>
  inWorld({ settings: LONG }, async (world) => {
    world.kaspi.standin.seed({ orders: [{ code: '1000000001' }] });
    const summary = await tick(world, '--dry-run');
    expect(summary.jobs[0]).toMatchObject({ job: 'kaspi:poll', result: { dry_run: true, fetched: 1 } });
    expect(await world.rows('SELECT id FROM runs')).toEqual([]);
    expect(world.amo.standin.deals()).toEqual([]);
  }));

test('SIGTERM lets the item in hand be finished and begins no other job', () =>
  inWorld({ settings: LONG }, async (world) => {
    world.kaspi.standin.seed({ orders: [{ code: '1000000001' }] });
    world.kaspi.fault({ match: 'GET /shop/api/v2/orders', kind: 'slow', delayMs: 700, times: 1 });
    const { child, done } = await world.start(['--json', 'tick']);
    await until('the list was asked for', () => world.kaspi.journal.length > 0);
    child.kill('SIGTERM');
    const { code, stdout } = await done;
    const summary = JSON.parse(stdout) as Summary;
    expect(code).toBe(143);
    expect(names(summary)).toEqual(['kaspi:poll']);
    expect(summary.stopped_before).toContain('kaspi:reconcile');
    expect(await tick(world)).toMatchObject({ code: 0 });
    expect((await tick(world)).jobs).toEqual([]);
  }));

describe('crontab --tick', () => {
  let folder: string;
  let world: SandboxWorld;
  beforeAll(async () => {
    const { sandboxWorld } = await import('../support/sandbox-world.ts');
    world = await sandboxWorld({ settings: { KASPI_POLL_EVERY: '2m' } });
    folder = join(world.dir, 'logs');
    await mkdir(folder, { recursive: true });
  });
  afterAll(() => world.close());

  test('prints one line, as often as the most frequent job', async () => {
    const plan = JSON.parse((await world.sdelka(['crontab', '--tick', '--json'])).stdout);
    expect(plan.lines).toEqual([
      { job: 'tick', schedule: '*/2 * * * *', command: expect.stringMatching(/ tick >> .*\/logs\/sdelka\.log 2>&1$/) },
    ]);
  });
});
