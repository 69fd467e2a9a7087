import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type SandboxWorld, sandboxWorld } from '../support/sandbox-world.ts';

const HOUR_MS = 3_600_000;

function shop(world: SandboxWorld): void {
  const at = Date.now() - 2 * HOUR_MS;
  const entries = [{ sku: 'CUP-1', name: 'Кружка', quantity: 2, basePrice: 1500 }];
  const customer = { firstName: 'Алия', lastName: 'Серик', cellPhone: '7011112233' };
  const codes = ['1020000001', '1020000002', '1020000003'];
  world.kaspi.standin.seed({
    orders: codes.map((code) => ({ code, state: 'NEW', created_at: at, customer, entries })),
  });
}

describe('audit and adopt, as cron and an operator run them', () => {
  let world: SandboxWorld;

  beforeAll(async () => {
    world = await sandboxWorld();
    shop(world);
    const created_at = Math.floor((Date.now() - HOUR_MS) / 1000);
    world.amo.standin.add({ deals: [{ name: 'Заказ 1020000003', price: 3000, status_id: 80953554, created_at }] });
  });

  afterAll(() => world.close());

  test("another integrator's deal is listed, then bound, and the poll makes the others", async () => {
    const args = ['adopt', 'kaspi', '--name-pattern', 'Заказ {code}'];
    const [deal] = world.amo.standin.deals();
    const bound = [{ order: '1020000003', deal: deal?.id, contact: null }];
    const rehearsal = await world.sdelka([...args, '--dry-run']);
    expect({ code: rehearsal.code, shown: JSON.parse(rehearsal.stdout) }).toMatchObject({
      code: 0,
      shown: { dry_run: true, bound, already: 0, doubled: [] },
    });
    expect(await world.rows('SELECT key FROM links')).toEqual([]);
    expect(JSON.parse((await world.sdelka(args)).stdout)).toMatchObject({ dry_run: false, bound });
    expect((await world.poll()).code).toBe(0);
    expect(world.amo.standin.deals()).toHaveLength(3);
  });

  test('a clean account: 0; a difference: 1, with its id, in `alerts`; clean again: 0', async () => {
    const clean = await world.sdelka(['audit']);
    expect(clean.code).toBe(0);
    const shown = JSON.parse(clean.stdout);
    expect(shown).toMatchObject({ job: 'audit', outcome: 'ok', failed: 0, audit: { differences: [] } });
    expect(shown.audit.days[0]).toMatchObject({ kaspi: 3, amocrm: 3, differences: 0 });

    const deal = world.amo.standin.deals().find(({ name }) => name.endsWith('1020000001'))?.id ?? 0;
    world.amo.standin.edit({ lead: deal }, { price: 1 });
    const faulty = await world.sdelka(['audit']);
    expect(faulty.code).toBe(1);
    expect(JSON.parse(faulty.stdout).audit).toMatchObject({
      counts: { wrong_sum: 1 },
      differences: [{ kind: 'wrong_sum', order: '1020000001', deals: [deal], found: 1, expected: 3000 }],
    });
    const open = 'SELECT kind, subject, message FROM alerts WHERE closed_at IS NULL';
    const message = 'Бюджет сделки не равен сумме заказа Kaspi: 1 (1020000001)';
    expect(await world.rows(open)).toEqual([{ kind: 'audit', subject: 'wrong_sum', message }]);

    world.amo.standin.edit({ lead: deal }, { price: 3000 });
    expect((await world.sdelka(['audit'])).code).toBe(0);
    expect(await world.rows(open)).toEqual([]);
  });

  test.each([
    ['adopt', []],
    ['adopt', ['onec']],
    ['adopt', ['kaspi', '--name-pattern', 'Заказ']],
    ['adopt', ['kaspi', '--since', 'yesterday']],
    ['audit', ['--lookback', '2w']],
  ])('%s %j is a wrong use: 64', async (command, args) => {
    const { code, lines } = await world.sdelka([command, ...args]);
    expect(code).toBe(64);
    expect(lines.length).toBeGreaterThan(0);
  });
});
