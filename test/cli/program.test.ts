import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import packageFile from '../../package.json' with { type: 'json' };
import { entries } from '../../src/cli/registry.ts';
import { cronSchedule } from '../../src/commands/crontab.ts';
import { sdelka } from '../support/cli.ts';
import { THOROUGH } from '../support/stride.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sdelka-cli-'));
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Record<string, string> = {}) => sdelka(args, { cwd: dir, env });

describe('wrong usage ends with 64 and one record', () => {
  test.each([
    ['no command', [], 'No command was given'],
    ['an unknown command', ['migrat'], "Unknown command 'migrat'"],
    ['an unknown option', ['status', '--jsn'], "Unknown option '--jsn'"],
    ['an option of another command', ['status', '--days', '3'], "Unknown option '--days'"],
    ['a bad value', ['stats', '--days', '-1'], '--days: expected a whole number from 1 to 3660'],
    ['a bad global value', ['status', '--lock-wait', 'soon'], '--lock-wait: expected a whole number from 0 to 86400'],
    ['a bad level', ['--log-level', 'loud', 'status'], expect.stringContaining('--log-level: expected one of trace')],
    ['a missing value', ['status', '--mapping'], expect.stringContaining("'--mapping <path>' argument missing")],
    ['a word too many', ['status', 'now'], expect.stringContaining("Too many arguments for 'status'")],
  ])('%s', async (_case, args, message) => {
    const { code, stdout, lines } = await run(args);
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(lines).toEqual([expect.objectContaining({ level: 50, code: 'USAGE', exit: 64, msg: message })]);
  });

  test('a mistyped command is answered with the right one', async () => {
    const { lines } = await run(['migrat']);
    expect(lines[0]?.hint).toBe('Did you mean migrate?');
  });
});

describe('help', () => {
  test('lists every command of the registry', async () => {
    const { code, stdout, stderr } = await run(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const { name, summary } of entries) {
      expect(stdout).toContain(name);
      expect(stdout.replace(/\s+/g, ' ')).toContain(summary.replace(/\s+/g, ' '));
    }
  });

  test.each(entries.map(({ name }) => name))('of %s shows an example and the global options', async (name) => {
    const { code, stdout } = await run([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples:\\n {2}\\$ sdelka .*${name}`));
    expect(stdout).toContain('--lock-wait <seconds>');
    if (THOROUGH || name === 'kaspi:poll') expect((await run(['help', name])).stdout).toBe(stdout);
  });

  test('the version is that of the package', async () => {
    expect(await run(['--version'])).toMatchObject({ code: 0, stdout: `${packageFile.version}\n`, stderr: '' });
  });
});

test('every entry of the registry loads the command that it announces', async () => {
  for (const entry of entries) {
    const command = await entry.load();
    expect({ name: command.name, summary: command.summary }).toEqual({ name: entry.name, summary: entry.summary });
  }
});

describe('global options', () => {
  test('count before and after the command alike', async () => {
    await run(['migrate']);
    const before = await run(['--json', '--log-level', 'debug', 'stats', '--days', '2']);
    const after = await run(['stats', '--days', '2', '--json', '--log-level', 'debug']);
    expect(before.code).toBe(0);
    expect(after).toEqual(before);
  });

  test('a dry run of migrate makes no database', async () => {
    const planned = await run(['migrate', '--dry-run']);
    expect(planned).toMatchObject({ code: 0, stdout: '{"exists":false,"migrations":[]}\n' });
    expect((await run(['migrate'], { DRY_RUN: 'true' })).stdout).toBe(planned.stdout);
    expect((await run(['status'])).lines[0]?.code).toBe('DATABASE_MISSING');
  });

  test('an env file decides the folder of relative paths, and the environment wins over it', async () => {
    await writeFile(join(dir, 'shop.env'), 'DATABASE_URL=sqlite:shop.db\nTIMEZONE=Mars/Olympus\n');
    const options = { cwd: tmpdir(), env: { TIMEZONE: 'Europe/Minsk' } };
    const migrated = await sdelka(['migrate', '--env-file', join(dir, 'shop.env')], options);
    expect(migrated.code).toBe(0);
    const { stdout } = await sdelka(['status'], {
      ...options,
      env: { ...options.env, SDELKA_ENV_FILE: join(dir, 'shop.env') },
    });
    expect(JSON.parse(stdout).database).toContain(join(dir, 'shop.db'));
  });

  test('an env file that is named and missing: 78', async () => {
    const { code, lines } = await run(['status', '--env-file', 'nowhere.env']);
    expect(code).toBe(78);
    expect(lines).toEqual([expect.objectContaining({ code: 'ENV_FILE_UNREADABLE', command: 'status' })]);
  });
});

test('every wrong setting is in one list, those of the log itself too: 78', async () => {
  const { code, lines } = await run(['status'], {
    DATABASE_URL: 'oracle://x',
    LOG_LEVEL: 'loud',
    TIMEZONE: 'Mars/Olympus',
    LOCK_WAIT_SECONDS: 'long',
  });
  expect(code).toBe(78);
  expect(lines).toHaveLength(1);
  const faults = lines[0]?.faults;
  expect(Array.isArray(faults) ? faults.map((fault: string) => fault.split(':')[0]).sort() : faults).toEqual([
    'DATABASE_URL',
    'LOCK_WAIT_SECONDS',
    'LOG_LEVEL',
    'TIMEZONE',
  ]);
});

describe('under a web server', () => {
  test.each([[['status']], [['--help']], [['--dry-run', 'intake:cgi']], [[]]])('%j is refused', async (args) => {
    const { code, stdout, lines } = await run(args, { GATEWAY_INTERFACE: 'CGI/1.1' });
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
    expect(lines[0]?.msg).toContain('only intake:cgi');
  });
});

describe('migrate', () => {
  test('makes the database once, then has nothing to do; --status lists', async () => {
    const first = JSON.parse((await run(['migrate'])).stdout);
    expect(first.applied[0]).toEqual({ version: 1, name: 'state' });
    const second = JSON.parse((await run(['migrate'])).stdout);
    expect(second).toEqual({ applied: [], already: first.applied.length });
    const { migrations } = JSON.parse((await run(['migrate', '--status'])).stdout);
    expect(migrations.map((row: { state: string }) => row.state)).toEqual(first.applied.map(() => 'applied'));
  });

  test.each([
    ['postgres', 'sqlite:integrator.db'],
    ['sqlite', 'postgres://nobody@127.0.0.1:1/none'],
  ])('--dialect %s refuses %s: 78', async (dialect, url) => {
    const { code, lines } = await run(['migrate', '--dialect', dialect], { DATABASE_URL: url });
    expect(code).toBe(78);
    expect(lines[0]).toMatchObject({ code: 'DIALECT_MISMATCH' });
  });

  test('--status without a database: 78 with the way to one', async () => {
    const { code, lines } = await run(['migrate', '--status']);
    expect(code).toBe(78);
    expect(lines[0]?.hint).toContain('sdelka migrate');
  });
});

test('status of an empty database lists the jobs as never run', async () => {
  await run(['migrate']);
  const { code, stdout, stderr } = await run(['status']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const report = JSON.parse(stdout);
  expect(report).toMatchObject({ backlog: {}, failed_records: {}, tokens: [], breakers: [], alerts: [] });
  const jobs = entries.filter((entry) => entry.isJob).map((entry) => entry.name);
  expect(report.jobs.map((job: { job: string; last_run: null }) => [job.job, job.last_run])).toEqual(
    jobs.map((name) => [name, null]),
  );
});

describe('crontab', () => {
  const configured = {
    KASPI_API_TOKEN: 'a-token-of-kaspi',
    KASPI_POLL_EVERY: '2m',
    AMO_SUBDOMAIN: 'shop',
    AMO_LONG_LIVED_TOKEN: 'a-token-of-amocrm',
  };

  test('has a line for each configured job, with whole paths and without secrets', async () => {
    const file = join(dir, '100% shop.env');
    const lines = Object.entries(configured).map(([name, value]) => `${name}=${value}`);
    await writeFile(file, lines.join('\n'));
    const { code, stdout } = await run(['crontab', '--env-file', file]);
    expect(code).toBe(0);
    expect(stdout).not.toContain('a-token');
    const line = stdout.split('\n').find((one) => one.includes(' kaspi:poll '));
    expect(line).toMatch(/^\*\/2 \* \* \* \* \//);
    expect(line).toContain(`--env-file '${dir}/100\\% shop.env' kaspi:poll >> ${dir}/logs/sdelka.log 2>&1`);
  });

  test('without a configured job says what each one misses: 78', async () => {
    const { code, lines } = await run(['crontab']);
    expect(code).toBe(78);
    expect(lines[0]).toMatchObject({ code: 'NOTHING_CONFIGURED' });
    expect(String(lines[0]?.faults)).toContain('kaspi:poll: KASPI_API_TOKEN');
  });

  test.each([
    ['30s', 30_000, '* * * * *', true],
    ['1m', 60_000, '* * * * *', false],
    ['7m', 420_000, '*/6 * * * *', true],
    ['10m', 600_000, '*/10 * * * *', false],
    ['59m', 3_540_000, '*/30 * * * *', true],
    ['1h', 3_600_000, '0 * * * *', false],
    ['90m', 5_400_000, '0 * * * *', true],
    ['6h', 21_600_000, '0 */6 * * *', false],
    ['1d', 86_400_000, '30 4 * * *', false],
    ['3d', 259_200_000, '30 4 * * *', true],
  ])('every %s', (_name, everyMs, schedule, differs) => {
    const cron = cronSchedule(everyMs);
    expect(cron.schedule).toBe(schedule);
    expect(cron.note !== undefined).toBe(differs);
  });
});
