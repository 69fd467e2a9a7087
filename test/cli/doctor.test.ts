import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JobFacts, judgeJob } from '../../src/commands/doctor/cron.ts';
import { checkDisk } from '../../src/commands/doctor/database.ts';
import { type Finding, Findings } from '../../src/commands/doctor/findings.ts';
import { judgeRun } from '../../src/commands/doctor/locks.ts';
import { checkClocks } from '../../src/commands/doctor/remote.ts';
import { jobs } from '../../src/jobs/index.ts';
import { openDatabase } from '../../src/state/database.ts';
import { dialects } from '../support/databases.ts';
import { inWorld, type SandboxWorld, sandboxWorld } from '../support/sandbox-world.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const MIB = 1024 ** 2;
const NOW = new Date('2026-05-20T10:00:00.000Z');
const ago = (ms: number) => new Date(NOW.getTime() - ms).toISOString();

function found(judge: (findings: Findings) => void): { list: Finding[]; exit: number } {
  const findings = new Findings();
  judge(findings);
  return { list: findings.list, exit: findings.exit };
}

async function doctor(world: SandboxWorld, ...args: string[]) {
  const outcome = await world.sdelka([...args, 'doctor', '--json']);
  const { ok, checks } = JSON.parse(outcome.stdout) as { ok: boolean; checks: Finding[] };
  const of = (check: string) => checks.filter((one) => one.check === check);
  return { code: outcome.code, ok, checks, of, wrong: checks.filter(({ verdict }) => verdict !== 'ok') };
}

describe('whether cron fires', () => {
  const every = (ms: number, count = 8, first = 30_000) => Array.from({ length: count }, (_, n) => ago(first + n * ms));
  const facts = (given: Partial<JobFacts>): JobFacts => ({
    job: 'kaspi:poll',
    everyMs: MINUTE,
    leastMs: 5 * MINUTE,
    starts: every(MINUTE),
    heartbeat: ago(20_000),
    cursor: ago(30_000),
    now: NOW,
    ...given,
  });
  const verdicts = (given: Partial<JobFacts>) =>
    found((findings) => judgeJob(findings, facts(given))).list.map(({ check, verdict, message }) => [
      check,
      verdict,
      message,
    ]);

  test.each([
    ['all is well', {}, 'ok', 'last good pass 20 s ago'],
    [
      'one pass was late',
      { starts: [ago(30_000), ago(9 * MINUTE), ...every(MINUTE, 6, 10 * MINUTE)] },
      'ok',
      'last good pass 20 s ago',
    ],
    ['never started', { starts: [], heartbeat: undefined }, 'warning', 'it has never been started here'],
    [
      'cron died',
      { starts: every(MINUTE, 8, 50 * MINUTE) },
      'warning',
      'last started 50 min ago, though it should be every 1 min',
    ],
    [
      'it starts and fails',
      { heartbeat: ago(3 * 60 * MINUTE) },
      'warning',
      'it is started, but the last good pass was 3 h ago',
    ],
    ['it never went well', { heartbeat: undefined }, 'warning', 'it is started, but no pass ever ended well'],
    [
      'the crontab says another interval',
      { starts: every(4 * MINUTE) },
      'warning',
      'started every 4 min instead of every 1 min',
    ],
    [
      'a quarter of a day is no reason for alarm',
      { everyMs: 360 * MINUTE, starts: [ago(350 * MINUTE)], heartbeat: ago(349 * MINUTE) },
      'ok',
      'last good pass 6 h ago',
    ],
  ] as const)('%s', (_name, given, verdict, message) => {
    expect(verdicts(given)).toEqual([['cron kaspi:poll', verdict, message]]);
  });

  test('an outage longer than what one request covers is told, and that nothing is lost', () => {
    const list = found((findings) => judgeJob(findings, facts({ cursor: ago(14 * DAY) }))).list;
    expect(list[1]).toMatchObject({
      check: 'window kaspi:poll',
      verdict: 'warning',
      remedy: expect.stringContaining('Nothing is lost'),
    });
    expect(verdicts({ cursor: ago(12 * DAY) })).toHaveLength(1);
  });
});

describe('clock, disk, locks', () => {
  test.each([
    [900, 'ok', 0],
    [-31_000, 'warning', 0],
    [31_000, 'warning', 0],
    [-301_000, 'failure', 78],
  ])('a clock that is %i ms off: %s', (ms, verdict, exit) => {
    expect(found((findings) => checkClocks(findings, new Map([['kaspi', ms]])))).toMatchObject({
      list: [{ verdict }],
      exit,
    });
  });

  test.each([
    [10_000 * MIB, 'ok', 0],
    [400 * MIB, 'warning', 0],
    [40 * MIB, 'failure', 69],
  ])('%i bytes free: %s', (free, verdict, exit) => {
    expect(found((findings) => checkDisk(findings, free))).toMatchObject({ list: [{ verdict }], exit });
  });

  const run = { id: 7, job: 'kaspi:poll', started_at: ago(3 * MINUTE), host: 'shop', pid: 4711 };
  test.each([
    ['held by a living process', run, true, 'ok', 'held by run 7, process 4711 on shop, for 3 minutes'],
    [
      'left by a dead one',
      run,
      false,
      'warning',
      'free; run 7, process 4711 on shop, for 3 minutes ended without a word',
    ],
    ['held for hours', { ...run, started_at: ago(180 * MINUTE) }, true, 'warning', 'held by run 7'],
    ["another host's", run, undefined, 'ok', 'not to be seen from here'],
  ] as const)('a lock %s', (_name, given, alive, verdict, message) => {
    const { list } = found((findings) => judgeRun(findings, given, alive, NOW));
    expect(list).toEqual([
      expect.objectContaining({ check: 'lock kaspi:poll', verdict, message: expect.stringContaining(message) }),
    ]);
  });
});

describe.each(dialects)('%s: the built program', (dialect) => {
  let world: SandboxWorld;

  beforeAll(async () => {
    world = await sandboxWorld({ dialect, settings: { SECRET_KEY: 'a long and random text' } });
    // The shop of these tests has neither 1C nor a PBX.
    for (const { name } of jobs.filter((job) => !/^(onec|retail):/.test(job.name)))
      expect(await world.sdelka([name])).toMatchObject({ code: 0 });
  });

  afterAll(async () => {
    await world.close();
  });

  test('a healthy installation has nothing to warn of', async () => {
    const { code, ok, wrong, checks } = await doctor(world);
    expect(wrong).toEqual([]);
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(checks.map(({ check }) => check)).toEqual(
      expect.arrayContaining([
        ...['settings', 'mapping', 'database', 'outbox', 'kaspi', 'amoCRM', 'amoCRM token', 'amoCRM rights', 'ids'],
        ...['clock against kaspi', 'clock against amocrm', 'locks', 'cron kaspi:poll', 'backlog'],
        ...(dialect === 'sqlite' ? ['disk', 'journal'] : []),
      ]),
    );
  });

  test('a lock that is held is told with its run', async () => {
    const database = await openDatabase({ url: world.url, baseDir: world.dir });
    const lock = await database.lock('kaspi:poll');
    const started = new Date().toISOString();
    await world.rows(
      `INSERT INTO runs (job, started_at, host, pid) VALUES ('kaspi:poll', '${started}', '${hostname()}', ${process.pid})`,
    );
    try {
      expect((await doctor(world)).of('lock kaspi:poll')).toEqual([
        {
          check: 'lock kaspi:poll',
          verdict: 'ok',
          message: expect.stringContaining(`process ${process.pid} on ${hostname()}`),
        },
      ]);
    } finally {
      await lock?.release();
      await database.close();
    }
    // 2^22 is above the highest number that Linux gives to a process.
    await world.rows('UPDATE runs SET pid = 4194305 WHERE finished_at IS NULL');
    expect((await doctor(world)).of('lock kaspi:poll')).toEqual([
      expect.objectContaining({ verdict: 'warning', message: expect.stringContaining('ended without a word') }),
    ]);
    await world.rows('DELETE FROM runs WHERE finished_at IS NULL');
  });

  test('records that fail, alerts and a pause are told', async () => {
    await world.rewrite({ ALERT_BACKLOG_THRESHOLD: '1' });
    const at = '2026-05-01T00:00:00.000Z';
    for (const key of ['1', '2']) {
      await world.rows(
        `INSERT INTO failed_records (kind, key, job, last_error, first_seen_at) VALUES ('kaspi-order', '${key}', 'kaspi:poll', 'no', '${at}')`,
      );
    }
    await world.rows(
      `INSERT INTO alerts (kind, subject, opened_at, message) VALUES ('conflict', 'x', '${at}', 'price of deal 9')`,
    );
    const { of, code } = await doctor(world);
    expect(code).toBe(0);
    expect(of('backlog')).toEqual([
      expect.objectContaining({ verdict: 'warning', message: '0 effects wait, 2 records fail' }),
    ]);
    expect(of('alert conflict')).toEqual([expect.objectContaining({ verdict: 'warning', message: 'price of deal 9' })]);
  });
});

test('what is wrong is told at once: clock, rights, ids, certificates; the exit code is that of the first failure', () =>
  inWorld({ settings: { AMO_STATUS_ID: '5' } }, async (world) => {
    const { standin } = world.amo;
    const handle = standin.handle.bind(standin);
    standin.handle = async (request) => {
      const answer = await handle(request);
      return { ...answer, headers: { ...answer.headers, date: new Date(Date.now() - 20 * MINUTE).toUTCString() } };
    };
    const authority = join(world.dir, 'authority.pem');
    await writeFile(authority, rootCertificates[0] ?? '');
    const outcome = await world.sdelka(['doctor', '--json'], { NODE_EXTRA_CA_CERTS: authority });
    const { checks } = JSON.parse(outcome.stdout) as { checks: Finding[] };
    expect(outcome.code).toBe(78);
    const failures = checks.filter(({ verdict }) => verdict === 'failure');
    expect(failures.map(({ check }) => check)).toEqual(['ids', 'clock against amocrm']);
    expect(failures[1]?.message).toMatch(/^ours is 1(199|20[01]) s ahead of theirs$/);
    const warned = checks.filter(({ verdict }) => verdict === 'warning');
    expect(warned.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['start-up', 'secret key', 'cron kaspi:poll']),
    );
    for (const { remedy } of [...failures, ...warned]) expect(remedy).toMatch(/\.$|`$/);
  }));

test('a token whose user is no administrator is a warning', () =>
  inWorld({}, async (world) => {
    const { standin } = world.amo;
    const handle = standin.handle.bind(standin);
    standin.handle = async (request) => {
      const answer = await handle(request);
      const body = JSON.stringify(answer.body)?.replaceAll('"is_admin":true', '"is_admin":false');
      return request.path === '/api/v4/users' ? { ...answer, body } : answer;
    };
    expect((await doctor(world)).of('amoCRM rights')).toEqual([
      expect.objectContaining({ verdict: 'warning', message: expect.stringContaining('no administrator') }),
    ]);
  }));
