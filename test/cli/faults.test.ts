import { describe, expect, test } from 'vitest';
import type { Fault } from '../../src/sandbox/kit.ts';
import type { Outcome } from '../support/cli.ts';
import { inWorld, type SandboxWorld, until } from '../support/sandbox-world.ts';

const CODES = ['1040000001', '1040000002', '1040000003'];

function seedOrders({ kaspi }: SandboxWorld): void {
  kaspi.standin.seed({
    orders: CODES.map((code, index) => ({
      code,
      state: 'NEW',
      customer: { firstName: 'Алия', lastName: `${index}`, cellPhone: `701111223${index}` },
      entries: [{ sku: 'CUP-1', name: 'Кружка', quantity: index + 1, basePrice: 1500 }],
    })),
  });
}

/** The next pass, with the faults gone, leaves what a calm one would have left. */
async function expectRecovery(world: SandboxWorld): Promise<void> {
  world.kaspi.faults.length = 0;
  world.amo.faults.length = 0;
  expect(await world.poll()).toMatchObject({ code: 0 });
  for (const [index, code] of CODES.entries()) {
    const cards = world.dealsOf(code);
    expect(cards).toHaveLength(1);
    expect(cards[0]).toMatchObject({
      contact: { phones: [`+7701111223${index}`] },
      goods: { 'CUP-1': index + 1 },
      notes: [{ text: expect.stringContaining(code) }],
    });
  }
  expect(world.amo.standin.contacts()).toHaveLength(CODES.length);
  expect(world.amo.standin.elements()).toHaveLength(1);
}

/** The pass has its summary, and one record says what happened, in words for an operator. */
function expectOneError(outcome: Outcome, error: Record<string, unknown>): void {
  expect(outcome.lines.filter((line) => line.msg === 'pass finished')).toEqual([
    expect.objectContaining({ level: 30, job: 'kaspi:poll', run: expect.any(Number), outcome: 'failed' }),
  ]);
  expect(outcome.lines.filter((line) => Number(line.level) >= 50)).toEqual([
    expect.objectContaining({ job: 'kaspi:poll', exit: outcome.code, hint: expect.any(String), ...error }),
  ]);
  expect(outcome.stdout).toBe('');
}

async function lastRun(world: SandboxWorld): Promise<Record<string, unknown> | undefined> {
  return (await world.rows('SELECT outcome, exit_code, error FROM runs ORDER BY id DESC LIMIT 1'))[0];
}

describe('Kaspi', () => {
  const list = 'GET /shop/api/v2/orders';
  const faults: [string, Fault, number, Record<string, unknown>][] = [
    ['answers HTML', { match: list, kind: 'html', times: 0 }, 69, { code: 'REMOTE_ODD_ANSWER' }],
    ['cuts its answer', { match: list, kind: 'cut', times: 0 }, 69, { code: 'REMOTE_UNREACHABLE' }],
    ['hangs', { match: list, kind: 'hang', times: 0 }, 69, { code: 'REMOTE_UNREACHABLE' }],
    ['answers 400', { match: list, kind: 'status', status: 400, body: '{}', times: 0 }, 69, { code: 'REMOTE_REFUSED' }],
    ['answers 503', { match: list, kind: 'status', status: 503, times: 0 }, 69, { code: 'REMOTE_FAILING' }],
  ];

  test.concurrent.each(faults)('%s', (_name, fault, exit, error) =>
    inWorld({ settings: { HTTP_TIMEOUT_MS: '1000' } }, async (world) => {
      seedOrders(world);
      world.kaspi.fault(fault);
      const outcome = await world.poll();
      expect(outcome.code).toBe(exit);
      expectOneError(outcome, error);
      expect(world.amo.journal).toEqual([]);
      expect(await lastRun(world)).toEqual({
        outcome: 'failed',
        exit_code: exit,
        error: expect.stringContaining('kaspi'),
      });
      await expectRecovery(world);
    }),
  );

  test.concurrent('refuses the token: 77 with the variable to mend', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.kaspi.standin.configure({ token: 'another-token' });
      const outcome = await world.poll();
      expect(outcome.code).toBe(77);
      expectOneError(outcome, { hint: expect.stringContaining('KASPI_API_TOKEN') });
      expect(world.kaspi.journal).toHaveLength(1);
    }));

  test.concurrent('is down: 69, and what waits for amoCRM still goes out', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.amo.fault({ match: 'POST /api/v4/leads', kind: 'status', status: 401, body: '{}', times: 0 });
      expect(await world.poll()).toMatchObject({ code: 77 });
      expect(world.amo.standin.deals()).toEqual([]);
      world.amo.faults.length = 0;

      await world.rewrite({ KASPI_API_URL: 'http://127.0.0.1:1/shop/api/v2' });
      const outcome = await world.poll();
      expect(outcome.code).toBe(69);
      expectOneError(outcome, { msg: expect.stringContaining('kaspi gave no answer') });
      expect(world.amo.standin.deals()).toHaveLength(CODES.length);
      await world.rewrite({ KASPI_API_URL: `${world.kaspi.url}/shop/api/v2` });
      await expectRecovery(world);
    }));

  test.concurrent('fails for a moment: the pass does not notice', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.kaspi.fault({ match: list, kind: 'status', status: 502 });
      expect(await world.poll()).toMatchObject({ code: 0 });
      expect(world.amo.standin.deals()).toHaveLength(CODES.length);
    }));
});

describe('amoCRM', () => {
  test.concurrent('answers 500 to everything: 69, and nothing is lost', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.amo.fault({ match: '/api/v4', kind: 'status', status: 500, times: 0 });
      const outcome = await world.poll();
      expect(outcome.code).toBe(69);
      expectOneError(outcome, { code: 'REMOTE_FAILING', msg: expect.stringContaining('amocrm is failing (HTTP 500') });
      expect(await lastRun(world)).toMatchObject({ outcome: 'failed', exit_code: 69 });
      await expectRecovery(world);
    }));

  test.concurrent('makes the deals and answers 502: they are found, not made again', () =>
    inWorld({ settings: { HTTP_TIMEOUT_MS: '1000' } }, async (world) => {
      seedOrders(world);
      world.amo.fault({ match: 'POST /api/v4/leads', kind: 'status-after', status: 502 });
      expect(await world.poll()).toMatchObject({ code: 0 });
      await expectRecovery(world);
      expect(world.amo.standin.deals()).toHaveLength(CODES.length);
    }));

  test.concurrent('refuses a long-lived token: 77', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.amo.standin.revoke(world.amo.standin.credentials().long_lived_token);
      const outcome = await world.poll();
      expect(outcome.code).toBe(77);
      expectOneError(outcome, { hint: expect.stringContaining('AMO_LONG_LIVED_TOKEN') });
      const waiting = await world.rows("SELECT DISTINCT state FROM outbox WHERE kind = 'amocrm.deal'");
      expect(waiting).toEqual([{ state: 'pending' }]);
      await world.rewrite({ AMO_LONG_LIVED_TOKEN: world.amo.standin.issueLongLived(86_400 * 365) });
      await expectRecovery(world);
    }));

  test.concurrent('refuses the whole pair: 77 with the way back', () =>
    inWorld({ oauth: true }, async (world) => {
      seedOrders(world);
      const given = world.amo.standin.credentials();
      world.amo.standin.revoke(given.access_token);
      world.amo.standin.revoke(given.refresh_token);
      const outcome = await world.poll();
      expect(outcome.code).toBe(77);
      expectOneError(outcome, { hint: expect.stringContaining('amo:auth') });
    }));

  // A token that was given out a moment ago is not renewed for a 401, so this one is ten minutes old.
  test.concurrent('takes the access token back: the pair is renewed in passing', () =>
    inWorld({ oauth: true, amo: { now: () => new Date(Date.now() - 600_000) } }, async (world) => {
      seedOrders(world);
      world.amo.standin.revoke(world.amo.standin.credentials().access_token);
      await expectRecovery(world);
      expect(world.amo.standin.exchanges().refresh_token).toBe(1);
    }));

  test.concurrent('blocks us with an HTML 403: the next pass does not ask at all, and status says why', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.amo.fault({ match: '/api/v4', kind: 'status', status: 403 });
      const first = await world.poll();
      expect(first.code).toBe(69);
      expectOneError(first, { code: 'REMOTE_BLOCKED', msg: expect.stringContaining('amocrm has blocked us') });
      expect(world.amo.journal).toHaveLength(1);

      world.clearJournals();
      const second = await world.poll();
      expect(second.code).toBe(69);
      expectOneError(second, { code: 'BREAKER_OPEN', msg: expect.stringMatching(/no request before \d{4}-/) });
      expect(world.amo.journal).toEqual([]);

      const status = JSON.parse((await world.sdelka(['status'])).stdout);
      expect(status.breakers).toEqual([{ system: 'amocrm', open_until: expect.stringMatching(/Z$/) }]);
      expect(Date.parse(status.breakers[0].open_until)).toBeGreaterThan(Date.now());

      await world.rows('UPDATE rate_limits SET open_until = 0');
      await expectRecovery(world);
    }));

  test.concurrent('does not know a field of the mapping any more: the deal comes without it and says so', () =>
    inWorld({ mapping: 'kaspi: { deal: { fields: { 999999: "{code}" } } }\n' }, async (world) => {
      seedOrders(world);
      const { code } = await world.poll();
      expect(code).toBe(0);
      for (const order of CODES) {
        const [card, ...more] = world.dealsOf(order);
        expect(more).toEqual([]);
        expect(card?.notes.map((note) => note.text).join()).toContain('999999');
      }
      const alerts = await world.rows("SELECT message FROM alerts WHERE kind = 'mapping' AND closed_at IS NULL");
      expect(alerts).toEqual([{ message: expect.stringContaining('999999') }]);
    }));
});

describe('a pass that is told to stop', () => {
  test.concurrent.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    '%s while amoCRM answers: %i, the item in hand is finished, the next pass does the rest',
    (signal, exit) =>
      inWorld({}, async (world) => {
        seedOrders(world);
        world.amo.fault({ match: 'POST /api/v4/contacts', kind: 'slow', delayMs: 700 });
        const { child, done } = await world.start(['kaspi:poll']);
        await until('the contacts are sent', () => world.amo.journal.some((entry) => entry.method === 'POST'));
        child.kill(signal);
        expect(await done).toMatchObject({ code: exit, signal: null });
        expect(world.amo.standin.contacts()).toHaveLength(CODES.length);
        expect(world.amo.standin.deals()).toEqual([]);
        expect(await world.rows("SELECT id FROM outbox WHERE state IN ('claimed', 'sending', 'doubt')")).toEqual([]);
        expect(await lastRun(world)).toMatchObject({ outcome: 'partial', exit_code: exit });
        await expectRecovery(world);
      }),
  );

  test.concurrent('SIGTERM while Kaspi answers: 143, and the cursor has not passed what was not stored', () =>
    inWorld({}, async (world) => {
      seedOrders(world);
      world.kaspi.fault({ match: 'GET /shop/api/v2/orders', kind: 'slow', delayMs: 700 });
      const { child, done } = await world.start(['kaspi:poll']);
      await until('the list is asked for', () => world.kaspi.journal.length > 0);
      child.kill('SIGTERM');
      expect(await done).toMatchObject({ code: 143, signal: null });
      const stored = await world.rows('SELECT id FROM outbox');
      const cursor = await world.rows("SELECT key FROM meta WHERE key = 'cursor:kaspi:poll'");
      expect(cursor).toHaveLength(stored.length > 0 ? 1 : 0);
      await expectRecovery(world);
    }));

  test.concurrent('kill -9 while the deals are on their way: the next pass finds them', () =>
    inWorld({ settings: { HTTP_TIMEOUT_MS: '1000' } }, async (world) => {
      seedOrders(world);
      world.amo.fault({ match: 'POST /api/v4/leads', kind: 'slow', delayMs: 700 });
      const { child, done } = await world.start(['kaspi:poll']);
      await until('the deals are made', () => world.amo.standin.deals().length === CODES.length);
      child.kill('SIGKILL');
      expect(await done).toMatchObject({ code: null, signal: 'SIGKILL' });
      await expectRecovery(world);
    }));
});
