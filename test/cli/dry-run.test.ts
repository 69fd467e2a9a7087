import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { ODDITY_CODES } from '../../src/sandbox/kaspi.ts';
import { builtProgram } from '../support/cli.ts';
import { expectSound, inWorld, MAPPING, type SandboxWorld } from '../support/sandbox-world.ts';

interface Plan {
  dry_run: boolean;
  fetched: number;
  plan: { action: string; kind: string; record: { kind: string; key: string }; fields: Record<string, unknown> }[];
  problems: { record: { key: string }; reason: string }[];
}

const FIRST = '1030000001';
const SECOND = '1030000002';

function seedOrders({ kaspi, amo }: SandboxWorld): void {
  const customer = { firstName: 'Алия', lastName: 'Серик', cellPhone: '7011112233' };
  kaspi.standin.seed({
    orders: [
      {
        code: FIRST,
        state: 'NEW',
        customer,
        entries: [{ sku: 'CUP-1', name: 'Кружка', quantity: 2, basePrice: 1500 }],
      },
      { code: SECOND, state: 'PICKUP', customer: { firstName: 'Ержан', cellPhone: '7054445566' } },
    ],
  });
  amo.standin.add({ contacts: [{ name: 'Ержан с рынка', phones: ['+7 705 444 55 66'] }] });
}

/** Every file of the world's folder with its content's hash. */
function filesOf(dir: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(dir).map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex'),
    ]),
  );
}

function writesTo({ kaspi, amo }: SandboxWorld): string[] {
  return [...kaspi.journal, ...amo.journal]
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path}`);
}

/** Does the work and checks that nothing was written, at the stand-ins or beside the database. */
async function withoutTrace<T>(world: SandboxWorld, work: () => Promise<T>): Promise<T> {
  const before = filesOf(world.dir);
  const there = world.amo.standin.snapshot();
  world.clearJournals();
  const result = await work();
  expect(filesOf(world.dir)).toEqual(before);
  expect(writesTo(world)).toEqual([]);
  expect(world.amo.standin.snapshot()).toEqual(there);
  return result;
}

const effectOf = (plan: Plan, kind: string, key: string) =>
  plan.plan.filter((effect) => effect.kind === kind && effect.record.key === key);

describe('a dry run of kaspi:poll', () => {
  test('prints the plan field by field and writes nothing', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      const { code, stdout } = await withoutTrace(world, () => world.sdelka(['--dry-run', 'kaspi:poll']));
      const plan: Plan = JSON.parse(stdout);
      expect({ code, dry_run: plan.dry_run, fetched: plan.fetched, problems: plan.problems }).toEqual({
        code: 0,
        dry_run: true,
        fetched: 2,
        problems: [],
      });
      expect(effectOf(plan, 'amocrm.deal', FIRST)).toEqual([
        expect.objectContaining({
          action: 'create',
          record: { kind: 'kaspi-order', key: FIRST },
          fields: expect.objectContaining({
            name: `Kaspi #${FIRST}`,
            price: 3000,
            pipelineId: 10226282,
            statusId: 80953554,
            tags: ['Kaspi', 'NEW'],
            fields: expect.objectContaining({ 900101: FIRST }),
          }),
        }),
      ]);
      expect(effectOf(plan, 'amocrm.contact', FIRST)).toMatchObject([
        { action: 'create', fields: { name: 'Алия Серик', phone: '+7********33' } },
      ]);
      expect(effectOf(plan, 'amocrm.contact', SECOND)).toMatchObject([{ action: 'exists' }]);
      expect(effectOf(plan, 'amocrm.good-link', FIRST)).toMatchObject([{ fields: { sku: 'CUP-1', quantity: 2 } }]);
      expect(effectOf(plan, 'amocrm.note', FIRST)).toMatchObject([
        { fields: { text: expect.stringContaining('Кружка') } },
      ]);

      const asDocument = await withoutTrace(world, () => world.sdelka(['kaspi:poll', '--dry-run', '--json']));
      expect(JSON.parse(asDocument.stdout)).toEqual(plan);
    }));

  test('DRY_RUN=true and npm run dry-run:poll do the same', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      const byOption = await world.sdelka(['--dry-run', 'kaspi:poll']);
      const bySetting = await withoutTrace(world, () => world.poll({ DRY_RUN: 'true' }));
      expect(bySetting.stdout).toBe(byOption.stdout);

      const byNpm = await withoutTrace(world, async () =>
        promisify(execFile)('npm', ['run', '--silent', 'dry-run:poll'], {
          cwd: await builtProgram(),
          env: { PATH: process.env.PATH ?? '', SDELKA_ENV_FILE: join(world.dir, '.env') },
        }),
      );
      expect(byNpm.stdout).toBe(byOption.stdout);
    }));

  test('of a database that has worked: nothing new, and what waits is told', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.amo.fault({ match: 'POST /api/v4/leads/notes', kind: 'status', status: 400, body: '{}', times: 0 });
      await world.poll();
      world.amo.faults.length = 0;
      const { code, stdout } = await withoutTrace(world, () => world.sdelka(['--dry-run', 'kaspi:poll']));
      expect({ code, ...JSON.parse(stdout) }).toMatchObject({
        code: 0,
        fetched: 2,
        skipped: 2,
        plan: [],
        waiting: { failed: 2 },
      });
      expect(world.amo.journal).toEqual([]);
    }));

  test('records with a fault are told with the reason', () =>
    inWorld({}, async (world) => {
      world.kaspi.standin.seed({ scenario: 'oddities' });
      const { code, stdout } = await withoutTrace(world, () => world.sdelka(['--dry-run', 'kaspi:poll']));
      const plan: Plan = JSON.parse(stdout);
      expect({ code, problems: plan.problems.map(({ record }) => record.key) }).toEqual({
        code: 0,
        problems: [ODDITY_CODES.unknownState, ODDITY_CODES.brokenPhone],
      });
      expect(plan.problems.map(({ reason }) => reason).join()).toContain('TELEPORT');
    }));

  test('masks phones wherever the mapping puts them', () => {
    const mapping = MAPPING.replace('"{totalPrice}"', '"{customer.phone}"').replace(
      'deal:',
      'deal:\n    name: "Kaspi {code} {customer.phone}"\n    tags: ["{customer.phone}"]',
    );
    // The mapping's field 900104 takes numbers alone; nothing is sent here.
    return inWorld({ mapping }, async (world) => {
      seedOrders(world);
      const { code, stdout } = await world.sdelka(['--dry-run', 'kaspi:poll']);
      const [deal] = effectOf(JSON.parse(stdout), 'amocrm.deal', FIRST);
      expect({ code, name: deal?.fields.name }).toEqual({ code: 0, name: `Kaspi ${FIRST} +7********33` });
    });
  });

  test('renews no token: 77 where the pair has expired', () => {
    const twoDaysAgo = () => new Date(Date.now() - 48 * 3_600_000);
    return inWorld({ oauth: true, amo: { now: twoDaysAgo } }, async (world) => {
      seedOrders(world);
      const { code, lines } = await withoutTrace(world, () => world.sdelka(['--dry-run', 'kaspi:poll']));
      expect(code).toBe(77);
      expect(lines).toEqual([expect.objectContaining({ exit: 77, hint: expect.any(String) })]);
    });
  });

  test('renews no token: 77 where amoCRM has revoked it', () =>
    inWorld({ oauth: true }, async (world) => {
      seedOrders(world);
      world.amo.standin.revoke(world.amo.standin.credentials().access_token);
      const { code } = await withoutTrace(world, () => world.sdelka(['--dry-run', 'kaspi:poll']));
      expect({ code, exchanged: world.amo.standin.exchanges() }).toEqual({
        code: 77,
        exchanged: { authorization_code: 0, refresh_token: 0 },
      });
    }));

  test('makes no database: 78', () =>
    inWorld({ migrate: false }, async (world) => {
      const { code, lines } = await withoutTrace(world, () => world.sdelka(['--dry-run', 'kaspi:poll']));
      expect(code).toBe(78);
      expect(lines).toEqual([
        expect.objectContaining({ code: 'DATABASE_MISSING', hint: expect.stringContaining('sdelka migrate') }),
      ]);
    }));

  test('writes nothing to PostgreSQL either', () =>
    inWorld({ dialect: 'postgres' }, async (world) => {
      seedOrders(world);
      const tables = [
        'outbox',
        'runs',
        'meta',
        'kaspi_orders',
        'links',
        'tokens',
        'remote_cache',
        'rate_limits',
        'amo_index',
      ];
      const all = () => Promise.all(tables.map((table) => world.rows(`SELECT * FROM ${table}`)));
      const before = await all();
      const { code, stdout } = await withoutTrace(world, () => world.sdelka(['--dry-run', 'kaspi:poll']));
      expect({
        code,
        deals: JSON.parse(stdout).plan.filter((one: { kind: string }) => one.kind === 'amocrm.deal').length,
      }).toEqual({
        code: 0,
        deals: 2,
      });
      expect(await all()).toEqual(before);
    }));
});

test('the check that every run here goes through finds what it is for', () => {
  const outcome = (stdout: string, stderr = '') => ({ code: 0, signal: null, stdout, stderr, lines: [] });
  expect(() => expectSound(outcome('{"phone":"+7 (701) 111-22-33"}\n'), ['7011112233'])).toThrow();
  expect(() => expectSound(outcome('{}\n{}\n'), [])).toThrow();
  expect(() => expectSound(outcome('', 'Error: x\n    at run (main.js:1:2)\n'), [])).toThrow();
  expect(() => expectSound(outcome('{}\n'), ['7011112233'])).not.toThrow();
});
