import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { builtProgram, type Outcome, sdelka } from '../support/cli.ts';
import { inWorld, leaked, type SandboxWorld, until } from '../support/sandbox-world.ts';

// In every file of this folder each run of a sandbox world is checked for secrets, phones, e-mails and stack traces. Here is
// what those checks do not reach.

const SECRET_KEY = 'a-passphrase-of-this-operator';

function seedPeople({ kaspi, amo }: SandboxWorld): void {
  kaspi.standin.seed({ scenario: 'oddities' });
  kaspi.standin.seed({
    orders: [{ code: '1060000001', state: 'NEW', customer: { firstName: 'Ержан', cellPhone: '7054445566' } }],
  });
  amo.standin.add({ contacts: [{ name: 'Ержан', phones: ['8 (705) 444-55-66'], emails: ['erzhan@shop.example'] }] });
}

/** As `expectSound`, for runs at debug, where stack traces belong. */
function expectNothingLeaked(outcome: Outcome, world: SandboxWorld): void {
  expect(outcome.lines.filter((line) => 'notJson' in line)).toEqual([]);
  expect(leaked(outcome.stdout + outcome.stderr, world.secrets())).toEqual([]);
}

/** Every byte of the database and of what lies beside it, as one text. */
function bytesOf(world: SandboxWorld): string {
  const names = readdirSync(world.dir).filter((name) => name.startsWith('integrator.db'));
  return names.map((name) => readFileSync(join(world.dir, name), 'latin1')).join('\n');
}

const tokensOf = (world: SandboxWorld) => world.secrets().filter((secret) => secret.length > 64);

/** What anybody on the host sees of a process; slim images have no `ps`. */
async function commandLine(pid: number): Promise<string> {
  const file = `/proc/${pid}/cmdline`;
  if (existsSync(file)) return readFileSync(file, 'utf8').replaceAll('\0', ' ');
  return (await promisify(execFile)('ps', ['-o', 'args=', '-p', String(pid)])).stdout;
}

describe('tokens at rest', () => {
  // The stand-in lives 13 hours ago: the pair is past half its life and is renewed at its first use.
  const halfAged = () => new Date(Date.now() - 13 * 3_600_000);

  test('SECRET_KEY set: neither the given pair nor the renewed one stands in the database in clear', () =>
    inWorld({ oauth: true, amo: { now: halfAged }, settings: { SECRET_KEY } }, async (world) => {
      seedPeople(world);
      expect(await world.poll()).toMatchObject({ code: 1 });
      expect(world.amo.standin.exchanges().refresh_token).toBe(1);
      // Given access and refresh token, client secret apart, and the pair that the exchange gave.
      expect(tokensOf(world).length).toBeGreaterThanOrEqual(4);
      expect(leaked(bytesOf(world), [...tokensOf(world), SECRET_KEY])).toEqual([]);
      expect(await world.rows('SELECT system FROM tokens')).toEqual([{ system: 'amocrm' }]);
      // What is sealed serves the next process.
      world.kaspi.standin.seed({ orders: [{ code: '1060000002', state: 'NEW' }] });
      expect(await world.poll()).toMatchObject({ code: 0 });
      expect(world.dealsOf('1060000002')).toHaveLength(1);
    }));

  test('without it the pair stands there as it is, which shows that the check above can fail', () =>
    inWorld({ oauth: true }, async (world) => {
      seedPeople(world);
      await world.poll();
      expect(leaked(bytesOf(world), tokensOf(world)).length).toBeGreaterThan(0);
    }));
});

describe('at debug', () => {
  test.each(['debug', 'trace'])('a pass at %s says more and gives nothing away', (level) =>
    inWorld({ oauth: true, settings: { SECRET_KEY } }, async (world) => {
      seedPeople(world);
      // Past the check for stack traces.
      const outcome = await sdelka(['kaspi:poll', '--log-level', level], { cwd: world.dir });
      expect(outcome.code).toBe(1);
      expect(outcome.lines.some((line) => line.level === 20)).toBe(true);
      expectNothingLeaked(outcome, world);
    }),
  );

  test('a failure shows its stack there and nowhere else', () =>
    inWorld({}, async (world) => {
      seedPeople(world);
      world.amo.fault({ match: '/api/v4', kind: 'status', status: 401, body: '{}', times: 0 });
      const outcome = await sdelka(['kaspi:poll', '--log-level', 'debug'], { cwd: world.dir });
      expect(outcome.code).toBe(77);
      expect(outcome.stderr).toContain('"stack"');
      expectNothingLeaked(outcome, world);
      expect((await world.poll()).stderr).not.toContain('"stack"');
    }));
});

test('the process list shows no secret while a pass runs', () =>
  inWorld({ oauth: true, settings: { SECRET_KEY } }, async (world) => {
    seedPeople(world);
    world.kaspi.fault({ match: 'GET /shop/api/v2/orders', kind: 'slow', delayMs: 500 });
    const { child, done } = await world.start(['kaspi:poll']);
    await until('Kaspi is asked', () => world.kaspi.journal.length > 0);
    const shown = await commandLine(child.pid ?? 0);
    expect(shown).toContain('kaspi:poll');
    expect(leaked(shown, world.secrets())).toEqual([]);
    await done;
  }));

test('what operators read later holds no phone, e-mail or token: runs, failed records, alerts', () =>
  inWorld({}, async (world) => {
    seedPeople(world);
    world.amo.fault({ match: 'POST /api/v4/leads/notes', kind: 'status', status: 400, body: '{}', times: 0 });
    expect(await world.poll()).toMatchObject({ code: 1 });
    world.kaspi.standin.configure({ token: 'another-token' });
    expect(await world.poll()).toMatchObject({ code: 77 });
    const kept = await Promise.all(
      ['runs', 'failed_records', 'alerts'].map((table) => world.rows(`SELECT * FROM ${table}`)),
    );
    expect(kept.map((rows) => rows.length > 0).slice(0, 2)).toEqual([true, true]);
    expect(leaked(JSON.stringify(kept), world.secrets())).toEqual([]);
    expect(await world.sdelka(['status'])).toMatchObject({ code: 0 });
  }));

test('the package that is published holds the program and neither sources, tests nor settings', () =>
  inWorld({ migrate: false }, async (world) => {
    const checkout = join(world.dir, 'checkout');
    cpSync(await builtProgram(), checkout, { recursive: true, dereference: true });
    for (const bait of ['.env', 'integrator.db', 'mapping.yaml']) writeFileSync(join(checkout, bait), 'private');
    mkdirSync(join(checkout, 'test'));
    writeFileSync(join(checkout, 'test', 'some.test.ts'), '');
    expect(readdirSync(checkout)).toEqual(expect.arrayContaining(['src', 'migrations', 'scripts']));

    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: checkout,
    });
    const [{ files }]: [{ files: { path: string }[] }] = JSON.parse(stdout);
    const paths = files.map(({ path }) => path);
    expect([...new Set(paths.map((path) => path.split('/')[0]))].toSorted()).toEqual([
      'bin',
      'dist',
      'migrations',
      'package.json',
    ]);
    expect(paths).toEqual(
      expect.arrayContaining(['bin/sdelka.js', 'dist/main.js', 'migrations/sqlite/0001_state.sql']),
    );
  }));
