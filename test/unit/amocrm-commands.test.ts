import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { accountTables, mappingSkeleton, readAccountMap } from '../../src/commands/amo-account.ts';
import { amoAuth, authorizationAddress, OAUTH_STATE_FACT } from '../../src/commands/amo-auth.ts';
import { type AmoCheckContext, amoCheck } from '../../src/commands/amo-check.ts';
import { loadMapping } from '../../src/config/mapping.ts';
import { amoMemory } from '../../src/state/amo-memory.ts';
import { amocrmClient } from '../../src/systems/amocrm/client.ts';
import { type AmoWorld, amoWorld, bearerOf } from '../support/amocrm.ts';
import { type FreshDatabase, freshDatabase } from '../support/databases.ts';

let world: AmoWorld;
let fresh: FreshDatabase;

beforeEach(async () => {
  world = await amoWorld();
  fresh = await freshDatabase('sqlite');
});
afterEach(async () => {
  await world.close();
  await fresh.dispose();
});

function checkContext(dryRun = false): AmoCheckContext {
  const authorization = world.access(fresh.database, { dryRun });
  return {
    client: amocrmClient(world.http(authorization)),
    authorization,
    facts: amoMemory(fresh.database, world.clock),
    settings: { AMO_PIPELINE_ID: 10226282, AMO_STATUS_ID: 80953554, AMO_RESPONSIBLE_USER_ID: 12380450 },
    dryRun,
  };
}

describe('amo:auth', () => {
  const context = (dryRun = false) => ({
    baseUrl: world.amo.url,
    clientId: world.settings().AMO_CLIENT_ID,
    authorization: world.access(fresh.database),
    facts: amoMemory(fresh.database, world.clock),
    clock: world.clock,
    dryRun,
  });

  test('gives the address to open, and keeps its state', async () => {
    const result = await amoAuth(context(), {});
    if (result.status !== 'open') throw new Error(result.status);
    const address = new URL(result.address);
    const kept = JSON.parse((await context().facts.fact(OAUTH_STATE_FACT)) ?? '{}');
    expect(kept).toEqual({ state: address.searchParams.get('state'), made_at: world.clock.now().toISOString() });
    const again = await amoAuth(context(), {});
    expect(again).not.toEqual(result);
  });

  test.each([
    ['https://acme.amocrm.ru', 'https://www.amocrm.ru/oauth?client_id=id&state=s&mode=post_message'],
    ['https://acme.kommo.com', 'https://www.kommo.com/oauth?client_id=id&state=s&mode=post_message'],
    ['https://kommo.com.evil.example', 'https://www.amocrm.ru/oauth?client_id=id&state=s&mode=post_message'],
  ])('of %s', (baseUrl, address) => {
    expect(authorizationAddress(baseUrl, 'id', 's')).toBe(address);
  });

  test('a code becomes a pair, once', async () => {
    const code = world.amo.standin.issueCode();
    expect(await amoAuth(context(), { code: ` ${code}\n` })).toMatchObject({ status: 'success', hours_left: 24 });
    await expect(amoAuth(context(), { code })).rejects.toMatchObject({
      exit: 77,
      hint: expect.stringContaining('new'),
    });
    expect((await amoCheck(checkContext(), { createTestLead: false })).result.status).toBe('success');
  });

  test('a dry run asks for nothing and keeps nothing', async () => {
    await amoAuth(context(true), {});
    expect(await amoAuth(context(true), { code: 'code' })).toMatchObject({ status: 'dry-run' });
    expect(world.amo.journal).toEqual([]);
    expect(await context().facts.fact(OAUTH_STATE_FACT)).toBeUndefined();
  });

  test('without an integration: 78', async () => {
    await expect(amoAuth({ ...context(), clientId: undefined }, {})).rejects.toMatchObject({ exit: 78 });
  });
});

describe('amo:check', () => {
  test('says which account, and how long the token holds', async () => {
    const { exit, result } = await amoCheck(checkContext(), { createTestLead: false });
    expect(exit).toBe(0);
    expect(result).toMatchObject({
      status: 'success',
      account: { id: 31337001, subdomain: 'demo' },
      token: { kind: 'pair', hours_left: 24 },
    });
    expect(result).not.toHaveProperty('amo_lead_id');
  });

  test('makes one test deal and uses it again; a deleted one is made anew', async () => {
    const lead = async () => (await amoCheck(checkContext(), { createTestLead: true })).result;
    const [first, second] = [await lead(), await lead()];
    const [deal] = world.amo.standin.deals();
    expect(first).toMatchObject({ amo_lead_id: deal?.id, lead: 'made' });
    expect(second).toMatchObject({ amo_lead_id: deal?.id, lead: 'reused' });
    world.amo.standin.remove({ lead: deal?.id ?? 0 });
    expect(await lead()).toMatchObject({ lead: 'made' });
    expect(world.amo.standin.deals()).toHaveLength(1);
  });

  test('a lost answer does not lead to a second test deal', async () => {
    world.amo.standin.configure({ searchLagMs: 3_600_000 });
    world.amo.fault({ match: 'POST /api/v4/leads', kind: 'lost' });
    const failed = await amoCheck(checkContext(), { createTestLead: true });
    expect(failed).toMatchObject({ exit: 69, result: { status: 'error', code: 'REMOTE_UNREACHABLE' } });
    const next = await amoCheck(checkContext(), { createTestLead: true });
    expect(next.result).toMatchObject({ status: 'success', lead: 'reused' });
    expect(world.amo.standin.deals()).toHaveLength(1);
  });

  test('a dry run makes none', async () => {
    const { result } = await amoCheck(checkContext(true), { createTestLead: true });
    expect(result).toMatchObject({ status: 'success', lead: 'planned' });
    expect(world.amo.standin.deals()).toEqual([]);
  });

  test('refused credentials: the diagnosis and 77', async () => {
    const context = { ...checkContext(), client: amocrmClient(world.http(bearerOf('wrong'))) };
    expect(await amoCheck(context, { createTestLead: false })).toMatchObject({
      exit: 77,
      result: { status: 'error', code: 'REMOTE_UNAUTHORIZED', http_status: 401 },
    });
  });
});

describe('amo:account', () => {
  /** The skeleton as the jobs would read it. */
  async function loaded(skeleton: string) {
    await writeFile(join(fresh.dir, 'mapping.yaml'), skeleton);
    return loadMapping({ file: undefined, baseDir: fresh.dir });
  }

  test('lists what a mapping may name, and gives a mapping that is valid', async () => {
    const map = await readAccountMap(checkContext().client);
    expect(map.gaps).toEqual([]);
    const cells = accountTables(map).flatMap((table) => table.rows.flat());
    for (const id of ['10226282', '80953560', '143', '4203748', '12380450', '900101', '800001', '5501', '700001']) {
      expect(cells).toContain(id);
    }
    const mapping = await loaded(mappingSkeleton(map));
    expect(mapping.kaspi.deal.externalIdField).toBe(900101);
  });

  test('a part that is not allowed becomes a gap', async () => {
    world.amo.fault({
      match: 'GET /api/v4/users',
      kind: 'status',
      status: 403,
      body: '{"title":"Forbidden","status":403}',
    });
    world.amo.fault({ match: 'GET /api/v4/catalogs', kind: 'status', status: 402, body: '{"status":402}' });
    const map = await readAccountMap(checkContext().client);
    expect(map.gaps).toHaveLength(2);
    expect(map.users).toEqual([]);
    expect((await loaded(mappingSkeleton(map))).kaspi.stages.length).toBe(2);
  });

  test('names typed by people cannot break out of a comment', async () => {
    const map = await readAccountMap(checkContext().client);
    const [main] = map.pipelines;
    if (!main) throw new Error('no pipeline');
    main.name = 'Kaspi\nkaspi: broken\u2028x: [';
    expect((await loaded(mappingSkeleton(map))).kaspi.stages.length).toBe(2);
  });
});
