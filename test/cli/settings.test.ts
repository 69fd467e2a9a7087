import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { amocrmStandin } from '../../src/sandbox/amocrm.ts';
import { serve } from '../../src/sandbox/kit.ts';
import { openDatabase } from '../../src/state/database.ts';
import type { Outcome } from '../support/cli.ts';
import { dialects } from '../support/databases.ts';
import { inWorld, type SandboxWorld } from '../support/sandbox-world.ts';

const ORDER = '1050000001';

function seedOrder({ kaspi }: SandboxWorld, code = ORDER): void {
  kaspi.standin.seed({ orders: [{ code, state: 'NEW' }] });
}

function faultsOf({ lines }: Outcome): string[] {
  const faults = lines[0]?.faults;
  return Array.isArray(faults) ? faults.map(String) : [];
}

/** Refused before anybody was asked anything. */
function expectRefused(world: SandboxWorld, outcome: Outcome, code: string): void {
  expect({ exit: outcome.code, stdout: outcome.stdout }).toEqual({ exit: 78, stdout: '' });
  expect(outcome.lines.filter((line) => Number(line.level) >= 40)).toEqual([
    expect.objectContaining({ level: 50, job: 'kaspi:poll', code, exit: 78, hint: expect.any(String) }),
  ]);
  expect([...world.kaspi.journal, ...world.amo.journal]).toEqual([]);
}

describe('wrong usage of a job: 64', () => {
  test.each([
    [['kaspi:pol'], { hint: 'Did you mean kaspi:poll?' }],
    [['kaspi:poll', '--lookbak', '3d'], { msg: "Unknown option '--lookbak'" }],
    [['kaspi:poll', 'now'], { msg: expect.stringContaining('Too many arguments') }],
    [
      ['kaspi:poll', '--lookback', 'yesterday'],
      { msg: expect.stringContaining('--lookback: expected a look-back depth') },
    ],
    [['kaspi:poll', '--lock-wait', '-1'], { msg: expect.stringContaining('--lock-wait') }],
  ])('%j', (args, said) =>
    inWorld({}, async (world) => {
      const { code, stdout, lines } = await world.sdelka(args);
      expect({ code, stdout }).toEqual({ code: 64, stdout: '' });
      expect(lines).toEqual([expect.objectContaining({ level: 50, exit: 64, ...said })]);
      expect([...world.kaspi.journal, ...world.amo.journal]).toEqual([]);
      expect(await world.rows('SELECT id FROM runs')).toEqual([]);
    }),
  );
});

describe('settings that will not do: 78', () => {
  test('every missing one is named at once', () =>
    inWorld({}, async (world) => {
      const missing = {
        KASPI_API_TOKEN: undefined,
        AMO_BASE_URL: undefined,
        AMO_LONG_LIVED_TOKEN: undefined,
        AMO_PIPELINE_ID: 'first',
        TIMEZONE: 'Mars/Olympus',
      };
      await world.rewrite(missing);
      const outcome = await world.poll();
      expectRefused(world, outcome, 'SETTINGS_INVALID');
      expect(
        faultsOf(outcome)
          .map((fault) => fault.split(':')[0])
          .toSorted(),
      ).toEqual(Object.keys(missing).toSorted());
      expect(outcome.lines[0]?.hint).toContain(join(world.dir, '.env'));
    }));

  test('each fault of the mapping has its line and its path', () =>
    inWorld(
      {
        mapping: [
          'kaspi:',
          '  deal:',
          '    name: "Kaspi #{cod}"',
          '    colour: red',
          '  stages:',
          '    - { when: { stat: NEW }, status: 1 }',
          '    - { status: abc, when: {} }',
        ].join('\n'),
      },
      async (world) => {
        const outcome = await world.poll();
        expectRefused(world, outcome, 'MAPPING_INVALID');
        const faults = faultsOf(outcome);
        for (const place of [
          'mapping.yaml:3: kaspi.deal.name',
          'mapping.yaml:4: kaspi.deal.colour',
          'mapping.yaml:6: kaspi.stages[0].when.stat',
          'mapping.yaml:7: kaspi.stages[1].status',
        ]) {
          expect(faults.some((fault) => fault.startsWith(place))).toBe(true);
        }
      },
    ));

  test('a mapping by which no deal could be found again is refused', () =>
    inWorld({ mapping: 'kaspi: { deal: { name: "An order" } }\n' }, async (world) => {
      const outcome = await world.poll();
      expectRefused(world, outcome, 'MAPPING_INVALID');
      expect(faultsOf(outcome).join()).toContain('external_id_field');
    }));

  test('a mapping that is named and not there', () =>
    inWorld({}, async (world) => {
      expectRefused(world, await world.sdelka(['kaspi:poll', '--mapping', 'no.yaml']), 'MAPPING_FILE_UNREADABLE');
    }));

  test('without a mapping the defaults hold', () =>
    inWorld({}, async (world) => {
      await rm(join(world.dir, 'mapping.yaml'));
      seedOrder(world);
      expect(await world.poll()).toMatchObject({ code: 0 });
      expect(world.dealsOf(ORDER).map(({ deal }) => deal.name)).toEqual([`Kaspi #${ORDER}`]);
    }));
});

describe('a database that will not do', () => {
  test('none: 78, and none is made', () =>
    inWorld({ migrate: false }, async (world) => {
      const outcome = await world.poll();
      expectRefused(world, outcome, 'DATABASE_MISSING');
      expect(outcome.lines[0]?.hint).toContain('sdelka migrate');
      expect(await world.poll()).toMatchObject({ code: 78 });
    }));

  test.each(dialects)('%s with an older schema: 78 with the way to the newest', (dialect) =>
    inWorld({ dialect }, async (world) => {
      // What the program goes by is the record of the last migration.
      const [last] = await world.rows('SELECT version, name FROM schema_migrations ORDER BY version DESC LIMIT 1');
      await world.rows(`DELETE FROM schema_migrations WHERE version = ${last?.version}`);
      const outcome = await world.poll();
      expectRefused(world, outcome, 'SCHEMA_OLDER');
      expect(outcome.lines[0]?.hint).toContain('migrate');
    }),
  );

  test.each(dialects)('%s with a newer schema: 78', (dialect) =>
    inWorld({ dialect }, async (world) => {
      await world.rows(
        "INSERT INTO schema_migrations (version, name, applied_at) VALUES (999, 'future', '2030-01-01')",
      );
      expectRefused(world, await world.poll(), 'SCHEMA_NEWER');
    }),
  );

  test('PostgreSQL that does not answer: 69, without the password', () =>
    inWorld(
      { migrate: false, settings: { DATABASE_URL: 'postgres://u:a-secret-word@127.0.0.1:1/x' } },
      async (world) => {
        const outcome = await world.poll();
        expect(outcome.code).toBe(69);
        expect(outcome.lines.at(-1)).toMatchObject({ level: 50, exit: 69, hint: expect.any(String) });
        expect(outcome.stderr).not.toContain('a-secret-word');
      },
    ));

  test('a file that is no database: 78 in a sentence', () =>
    inWorld({ migrate: false }, async (world) => {
      await writeFile(join(world.dir, 'integrator.db'), 'this is a letter, not a database; '.repeat(100));
      const outcome = await world.poll();
      expect(outcome.code).toBe(78);
      expect(outcome.lines).toEqual([expect.objectContaining({ level: 50, hint: expect.any(String) })]);
    }));

  test("one that served another shop's Kaspi: 78 before anything is read", () =>
    inWorld({}, async (world) => {
      seedOrder(world);
      expect(await world.poll()).toMatchObject({ code: 0 });
      world.clearJournals();
      world.kaspi.standin.configure({ token: 'token-of-another-shop' });
      await world.rewrite({ KASPI_API_TOKEN: 'token-of-another-shop' });
      expectRefused(world, await world.poll(), 'OTHER_ACCOUNT');
    }));

  test('one that served another amoCRM account: 78 before anything is written', () =>
    inWorld({}, async (world) => {
      seedOrder(world);
      expect(await world.poll()).toMatchObject({ code: 0 });
      const other = await serve(amocrmStandin({ accountId: 31337002, rps: 0 }));
      try {
        await world.rewrite({
          AMO_BASE_URL: other.url,
          AMO_LONG_LIVED_TOKEN: other.standin.credentials().long_lived_token,
        });
        seedOrder(world, '1050000002');
        const { code, lines } = await world.poll();
        expect({ code, error: lines.at(-1) }).toMatchObject({
          code: 78,
          error: { level: 50, code: 'OTHER_ACCOUNT', hint: expect.stringContaining('DATABASE_URL') },
        });
        expect(other.journal.filter(({ method }) => method !== 'GET')).toEqual([]);
      } finally {
        await other.close();
      }
    }));
});

describe.each(dialects)('the lock of the job on %s', (dialect) => {
  test('held: nothing is done and that is no failure; with --lock-wait 75; freed: the pass runs', () =>
    inWorld({ dialect }, async (world) => {
      seedOrder(world);
      const database = await openDatabase({ url: world.url, baseDir: world.dir });
      const lock = await database.lock('kaspi:poll', { waitMs: 0 });
      expect(lock).toBeDefined();

      const skipped = await world.poll();
      expect({ code: skipped.code, ...JSON.parse(skipped.stdout) }).toMatchObject({ code: 0, outcome: 'skipped' });
      expect(skipped.lines).toEqual([
        expect.objectContaining({ level: 30, job: 'kaspi:poll', msg: 'skipped: locked' }),
      ]);

      const waited = await world.sdelka(['kaspi:poll', '--lock-wait', '1']);
      expect({ code: waited.code, stdout: waited.stdout }).toEqual({ code: 75, stdout: '' });
      expect(waited.lines).toEqual([expect.objectContaining({ level: 50, code: 'LOCK_WAIT', exit: 75 })]);
      expect([...world.kaspi.journal, ...world.amo.journal]).toEqual([]);
      expect(await world.rows('SELECT id FROM runs')).toEqual([]);

      const waiting = await world.start(['kaspi:poll', '--lock-wait', '60']);
      await lock?.release();
      await database.close();
      expect(await waiting.done).toMatchObject({ code: 0 });
      expect(world.dealsOf(ORDER)).toHaveLength(1);
    }));
});

describe('HEARTBEAT_URL', () => {
  /** A monitor that answers as healthchecks.io does: `OK` as plain text. */
  async function monitor(status = 200) {
    const pings: string[] = [];
    const server = createServer((request, response) => {
      pings.push(`${request.method} ${request.url}`);
      response.writeHead(status, { 'content-type': 'text/plain' });
      response.end('OK');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const close = () => {
      server.closeAllConnections();
      server.close();
    };
    return { pings, close, url: `http://127.0.0.1:${port}/ping/{job}` };
  }

  test('is told of a good pass and of a bad one, with the name of the job', () =>
    inWorld({}, async (world) => {
      const { pings, close, url } = await monitor();
      try {
        await world.rewrite({ HEARTBEAT_URL: url });
        const good = await world.poll();
        expect(good.code).toBe(0);
        expect(good.lines.filter((line) => Number(line.level) > 30)).toEqual([]);
        expect(pings.map(decodeURIComponent)).toEqual(['GET /ping/kaspi:poll']);

        world.kaspi.standin.configure({ token: 'another-token' });
        expect(await world.poll()).toMatchObject({ code: 77 });
        expect(pings.map(decodeURIComponent)[1]).toBe('GET /ping/kaspi:poll/fail');
        expect(pings).toHaveLength(2);

        await world.sdelka(['--dry-run', 'kaspi:poll']);
        expect(pings).toHaveLength(2);
      } finally {
        close();
      }
    }));

  test.each([
    ['is down', () => 'http://127.0.0.1:1/ping'],
    ['answers 500', (url: string) => url],
  ])('%s: the pass is as good as ever', (_name, address) =>
    inWorld({}, async (world) => {
      const { close, url } = await monitor(500);
      try {
        await world.rewrite({ HEARTBEAT_URL: address(url) });
        seedOrder(world);
        const outcome = await world.poll();
        expect({ code: outcome.code, ...JSON.parse(outcome.stdout) }).toMatchObject({ code: 0, created: 1 });
        expect(outcome.lines).toContainEqual(
          expect.objectContaining({ level: 40, msg: 'the heartbeat could not be sent' }),
        );
      } finally {
        close();
      }
    }),
  );
});
