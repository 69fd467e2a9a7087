import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import { type Database, openDatabase } from '../../src/state/database.ts';
import { tokenStore } from '../../src/state/tokens.ts';
import { amocrmClient } from '../../src/systems/amocrm/client.ts';
import { type AmoAuthorization, refreshTokens, TOKEN_LOCK } from '../../src/systems/amocrm/tokens.ts';
import { type AmoWorld, amoWorld } from '../support/amocrm.ts';
import { dialects, type FreshDatabase, freshDatabase } from '../support/databases.ts';

const HOUR = 3_600_000;
const SECRET_KEY = new Secret('a secret key of the operator');

describe.each(dialects)('%s: the token pair', (dialect) => {
  let world: AmoWorld;
  let fresh: FreshDatabase;
  let database: Database;

  beforeEach(async () => {
    world = await amoWorld();
    fresh = await freshDatabase(dialect);
    database = fresh.database;
  });
  afterEach(async () => {
    await world.close();
    await fresh.dispose();
  });

  const account = (access: AmoAuthorization) => amocrmClient(world.http(access)).getAccount();
  const exchanges = () => world.amo.standin.exchanges().refresh_token;
  const exchangeRequests = () => world.amo.journal.filter((entry) => entry.path === '/oauth2/access_token').length;
  const usedTokens = async (access: AmoAuthorization) => (await access.header()).authorization;

  test('a pair from the settings is taken in once, and then the database holds the newest', async () => {
    expect((await account(world.access(database))).id).toBe(31337001);
    expect(exchanges()).toBe(0);
    world.clock.advance(13 * HOUR);
    await account(world.access(database));
    expect(exchanges()).toBe(1);
    // The settings still name the first pair: it was seen, so that it does not come back.
    await account(world.access(database));
    expect(exchanges()).toBe(1);
    expect((await database.db.selectFrom('token_hashes').selectAll().execute()).length).toBe(4);
  });

  test('an old pair put back into the settings never replaces a newer one', async () => {
    const first = world.settings();
    await account(world.access(database));
    const second = world.amo.standin.issuePair();
    const newer = {
      ...first,
      AMO_ACCESS_TOKEN: new Secret(second.access_token),
      AMO_REFRESH_TOKEN: new Secret(second.refresh_token),
    };
    expect(await usedTokens(world.access(database, { settings: newer }))).toBe(`Bearer ${second.access_token}`);
    expect(await usedTokens(world.access(database, { settings: first }))).toBe(`Bearer ${second.access_token}`);
  });

  test('a refresh token alone in the settings is enough', async () => {
    const { AMO_ACCESS_TOKEN: _, ...settings } = world.settings();
    await account(world.access(database, { settings }));
    expect(exchanges()).toBe(1);
  });

  test('renewed at half life, not before', async () => {
    await account(world.access(database));
    world.clock.advance(11.9 * HOUR);
    const early = await refreshTokens(world.access(database));
    expect(early).toMatchObject({ renewed: false, due: false, kind: 'pair', hoursLeft: 12.1 });
    world.clock.advance(0.1 * HOUR);
    const due = await refreshTokens(world.access(database));
    expect(due).toMatchObject({ renewed: true, due: true, hoursLeft: 24 });
    expect(exchanges()).toBe(1);
    expect(await refreshTokens(world.access(database), { force: true })).toMatchObject({ renewed: true });
    expect(exchanges()).toBe(2);
  });

  // Past half life, who comes second may go on with the old token, still good; past its end, it has to wait for the new one.
  test.each([13, 25])('two processes and one refresh after %i hours: exactly one exchange', async (hours) => {
    await account(world.access(database));
    world.clock.advance(hours * HOUR);
    const other = await openDatabase({ url: fresh.url, baseDir: fresh.dir });
    try {
      const both = [world.access(database), world.access(other)];
      await Promise.all(both.flatMap((access) => [account(access), account(access)]));
      expect(exchanges()).toBe(1);
      expect(exchangeRequests()).toBe(1);
      const tokens = await Promise.all([database, other].map((one) => usedTokens(world.access(one))));
      expect(new Set(tokens).size).toBe(1);
    } finally {
      await other.close();
    }
  });

  test('two forced refreshes at once: the second takes what the first brought', async () => {
    await account(world.access(database));
    const other = await openDatabase({ url: fresh.url, baseDir: fresh.dir });
    try {
      const held = await database.lock(TOKEN_LOCK);
      let waiting = 0;
      // Both have read the old pair by the time that they ask for the lock; only then it is given away.
      const refresh = (one: Database) => {
        const lock: typeof one.lock = async (...given) => {
          waiting += 1;
          if (waiting === 2) await held?.release();
          return one.lock(...given);
        };
        return refreshTokens(world.access(one, { lock }), { force: true });
      };
      const both = [database, other].map(refresh);
      await Promise.all(both);
      expect(exchangeRequests()).toBe(1);
    } finally {
      await other.close();
    }
  });

  test('sealed at rest with SECRET_KEY; another key is told apart from a damaged pair and mended by amo:auth', async () => {
    const access = world.access(database, { secretKey: SECRET_KEY });
    await refreshTokens(access, { force: true });
    const row = await database.db.selectFrom('tokens').selectAll().executeTakeFirstOrThrow();
    expect(row.access_token).toMatch(/^sealed:v1:/);
    expect(row.refresh_token).toMatch(/^sealed:v1:/);
    expect(await usedTokens(world.access(database, { secretKey: SECRET_KEY }))).toMatch(/^Bearer eyJ/);
    const wrong = world.access(database, { secretKey: new Secret('another') });
    await expect(wrong.header()).rejects.toMatchObject({ code: 'SECRET_KEY_MISMATCH', exit: 78 });
    await expect(world.access(database).header()).rejects.toMatchObject({ code: 'SECRET_KEY_MISMATCH' });
    await wrong.exchangeCode(world.amo.standin.issueCode());
    expect((await account(wrong)).id).toBe(31337001);
  });

  test('tokens stored before a SECRET_KEY was set stay readable and are sealed at the next renewal', async () => {
    await account(world.access(database));
    const access = world.access(database, { secretKey: SECRET_KEY });
    await account(access);
    await refreshTokens(access, { force: true });
    const row = await database.db.selectFrom('tokens').select('access_token').executeTakeFirstOrThrow();
    expect(row.access_token).toMatch(/^sealed:v1:/);
  });

  test('the new pair is stored before it is used', async () => {
    await account(world.access(database));
    world.clock.advance(13 * HOUR);
    const order: string[] = [];
    const store = tokenStore(database, 'amocrm');
    const access = world.access(database, {
      store: {
        ...store,
        save: async (...given) => {
          await store.save(...given);
          order.push('saved');
        },
      },
    });
    await account(access);
    order.push('used');
    expect(order).toEqual(['saved', 'used']);
  });

  test('a store that cannot keep the new pair: the pair is not used', async () => {
    await account(world.access(database));
    world.clock.advance(25 * HOUR);
    const broken = { ...tokenStore(database, 'amocrm'), save: () => Promise.reject(new Error('disk full')) };
    await expect(account(world.access(database, { store: broken }))).rejects.toThrow('disk full');
  });

  test('an answer lost at half life: 69 with the hours left, the old pair kept, and work goes on', async () => {
    await account(world.access(database));
    world.clock.advance(13 * HOUR);
    world.amo.fault({ match: '/oauth2/access_token', kind: 'lost' });
    await expect(refreshTokens(world.access(database))).rejects.toMatchObject({
      code: 'AMO_RENEWAL_IN_DOUBT',
      exit: 69,
      kind: 'transient',
      message: expect.stringContaining('serves for another 11 h'),
    });
    // Jobs use the old access token, and do not ask for a renewal each minute.
    const asked = exchangeRequests();
    await account(world.access(database));
    expect(exchangeRequests()).toBe(asked);
    world.clock.advance(16 * 60_000);
    const warnings: unknown[] = [];
    await account(world.access(database, { warn: (fields) => warnings.push(fields) }));
    expect(warnings).toMatchObject([{ code: 'AMO_TOKEN_REVOKED' }]);
    // The exchange was carried out, so that the old refresh token is spent: a person must act, and is told what happened.
    await expect(refreshTokens(world.access(database))).rejects.toMatchObject({
      code: 'AMO_TOKEN_REVOKED',
      exit: 77,
      hint: expect.stringContaining('amo:auth'),
      message: expect.stringContaining('was lost'),
    });
    await world.access(database).exchangeCode(world.amo.standin.issueCode());
    expect(await refreshTokens(world.access(database))).toMatchObject({ renewed: false, hoursLeft: 24 });
  });

  test.each([
    ['reset before it took effect', { kind: 'reset' }, 'AMO_RENEWAL_IN_DOUBT'],
    ['a 502', { kind: 'status', status: 502 }, 'AMO_RENEWAL_IN_DOUBT'],
    ['an answer that is cut off', { kind: 'cut' }, 'AMO_RENEWAL_IN_DOUBT'],
    ['a page instead of JSON', { kind: 'html' }, 'AMO_RENEWAL_IN_DOUBT'],
    ['a blocked account', { kind: 'status', status: 403 }, 'AMO_RENEWAL_FAILED'],
  ] as const)('%s passes: 69, and the pair is kept', async (_, fault, code) => {
    await account(world.access(database));
    world.clock.advance(25 * HOUR);
    world.amo.fault({ match: '/oauth2/access_token', times: 0, ...fault });
    const before = await database.db.selectFrom('tokens').selectAll().execute();
    await expect(account(world.access(database))).rejects.toMatchObject({ code, exit: 69, outcome: 'not-sent' });
    expect(await database.db.selectFrom('tokens').selectAll().execute()).toEqual(before);
    // Whatever retries there are within a run, there is one exchange: single use forbids trying about.
    expect(exchangeRequests()).toBe(1);
  });

  test('a 429 at the token endpoint is waited out', async () => {
    await account(world.access(database));
    world.clock.advance(25 * HOUR);
    world.amo.fault({ match: '/oauth2/access_token', kind: 'status', status: 429 });
    expect((await account(world.access(database))).id).toBe(31337001);
  });

  test('"already used" while another program stores the new pair: the store is read again', async () => {
    await account(world.access(database));
    world.clock.advance(25 * HOUR);
    const rival = world.amo.standin.issuePair();
    const spent = world.settings().AMO_REFRESH_TOKEN?.reveal() ?? '';
    world.amo.standin.revoke(spent);
    const store = tokenStore(database, 'amocrm');
    const clock = {
      ...world.clock,
      sleep: async (ms: number) => {
        await world.clock.sleep(ms);
        const now = world.clock.now();
        const expiresAt = new Date(now.getTime() + 24 * HOUR).toISOString();
        const pair = { accessToken: rival.access_token, refreshToken: rival.refresh_token };
        await store.save({ ...pair, issuedAt: now.toISOString(), expiresAt }, [], now);
      },
    };
    const other = world.amo.standin.issuePair();
    expect(other.refresh_token).not.toBe(rival.refresh_token);
    const access = world.access(database, { clock });
    expect(await usedTokens(access)).toBe(`Bearer ${rival.access_token}`);
  });

  test('"already used" for good: 77, naming amo:auth, after two more looks at the store', async () => {
    await account(world.access(database));
    world.clock.advance(25 * HOUR);
    world.amo.standin.revoke(world.settings().AMO_REFRESH_TOKEN?.reveal() ?? '');
    await expect(account(world.access(database))).rejects.toMatchObject({
      code: 'AMO_TOKEN_REVOKED',
      exit: 77,
      hint: expect.stringContaining('amo:auth'),
    });
    expect(world.clock.slept).toEqual([1000, 1000]);
  });

  test('a wrong client secret: 77, naming the settings', async () => {
    const settings = { ...world.settings(), AMO_CLIENT_SECRET: new Secret('wrong') };
    await expect(refreshTokens(world.access(database, { settings }), { force: true })).rejects.toMatchObject({
      code: 'AMO_TOKEN_REFUSED',
      exit: 77,
      hint: expect.stringContaining('AMO_CLIENT_SECRET'),
    });
  });

  test('a 401 on a call: a newer stored token is tried first, then one renewal', async () => {
    const access = world.access(database);
    await account(access);
    world.clock.advance(1 * HOUR);
    await refreshTokens(world.access(database), { force: true });
    world.amo.standin.revoke(world.settings().AMO_ACCESS_TOKEN?.reveal() ?? '');
    await account(access);
    expect(exchanges()).toBe(1);
    // Refused although stored and unexpired: renewed once.
    world.clock.advance(1 * HOUR);
    world.amo.standin.revoke((await usedTokens(access))?.slice('Bearer '.length) ?? '');
    await account(access);
    expect(exchanges()).toBe(2);
  });

  test('a token that is refused straight after its renewal is not renewed again and again', async () => {
    const access = world.access(database);
    await refreshTokens(access, { force: true });
    world.amo.standin.revoke((await usedTokens(access))?.slice('Bearer '.length) ?? '');
    for (let run = 0; run < 3; run++) {
      await expect(account(world.access(database))).rejects.toMatchObject({ exit: 77, outcome: 'refused' });
    }
    expect(exchanges()).toBe(1);
  });

  test('a failing renewal after a 401 leaves the call surely undone', async () => {
    const access = world.access(database);
    await account(access);
    world.clock.advance(1 * HOUR);
    const { AMO_ACCESS_TOKEN, AMO_REFRESH_TOKEN } = world.settings();
    world.amo.standin.revoke(AMO_ACCESS_TOKEN?.reveal() ?? '');
    world.amo.standin.revoke(AMO_REFRESH_TOKEN?.reveal() ?? '');
    const deal = { requestId: '1', name: 'a deal' };
    await expect(amocrmClient(world.http(access)).createDeals([deal])).rejects.toMatchObject({
      exit: 77,
      outcome: 'refused',
    });
    expect(world.amo.standin.deals()).toEqual([]);
  });

  test('a dry run renews nothing and writes nothing', async () => {
    const dry = () => world.access(database, { dryRun: true });
    await account(dry());
    expect(await database.db.selectFrom('tokens').selectAll().execute()).toEqual([]);
    await account(world.access(database));
    world.clock.advance(13 * HOUR);
    await account(dry());
    expect(await refreshTokens(dry())).toMatchObject({ renewed: false, due: true });
    world.clock.advance(12 * HOUR);
    await expect(account(dry())).rejects.toMatchObject({
      exit: 77,
      message: expect.stringContaining('dry run'),
      hint: expect.stringContaining('amo:refresh-token'),
    });
    expect(exchangeRequests()).toBe(0);
    expect(await database.db.selectFrom('meta').selectAll().where('key', 'like', 'token%').execute()).toEqual([]);
  });

  test('no access yet: 77, naming amo:auth', async () => {
    const { AMO_ACCESS_TOKEN: _a, AMO_REFRESH_TOKEN: _r, ...settings } = world.settings();
    await expect(account(world.access(database, { settings }))).rejects.toMatchObject({
      code: 'AMO_NOT_CONNECTED',
      exit: 77,
      hint: expect.stringContaining('amo:auth'),
    });
  });

  test('no token ever stands in an error', async () => {
    const secrets = Object.values(world.settings()).map((value) => (value instanceof Secret ? value.reveal() : ''));
    const settings = { ...world.settings(), AMO_REDIRECT_URI: 'https://elsewhere.example/' };
    const error = await refreshTokens(world.access(database, { settings }), { force: true }).catch((e: unknown) => e);
    expect(error).toMatchObject({ hint: expect.stringContaining('AMO_REDIRECT_URI') });
    const printed = JSON.stringify(error) + String(error) + (error instanceof Error ? (error.stack ?? '') : '');
    for (const secret of secrets) if (secret !== '') expect(printed).not.toContain(secret);
  });
});

describe('the long-lived token', () => {
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

  const access = (token: string, expires?: Date) =>
    world.access(fresh.database, {
      settings: { AMO_LONG_LIVED_TOKEN: new Secret(token), AMO_LONG_LIVED_TOKEN_EXPIRES: expires },
    });

  test('its end is read from it, and an ended one is not even sent', async () => {
    const token = world.amo.standin.issueLongLived(3600);
    expect(await refreshTokens(access(token))).toMatchObject({ kind: 'long-lived', renewed: false, hoursLeft: 1 });
    await amocrmClient(world.http(access(token))).getAccount();
    world.clock.advance(HOUR);
    const sent = world.amo.journal.length;
    await expect(amocrmClient(world.http(access(token))).getAccount()).rejects.toMatchObject({
      code: 'AMO_TOKEN_EXPIRED',
      exit: 77,
      hint: expect.stringContaining('AMO_LONG_LIVED_TOKEN'),
    });
    expect(world.amo.journal.length).toBe(sent);
  });

  test('a withdrawn one: 77; one that cannot be read goes by the setting', async () => {
    const token = world.amo.standin.issueLongLived(3600);
    world.amo.standin.revoke(token);
    await expect(amocrmClient(world.http(access(token))).getAccount()).rejects.toMatchObject({
      code: 'AMO_TOKEN_REFUSED',
      exit: 77,
      outcome: 'refused',
    });
    const ended = access('opaque', new Date(world.clock.now().getTime() - 1));
    await expect(ended.header()).rejects.toMatchObject({ code: 'AMO_TOKEN_EXPIRED' });
    expect((await access('opaque').life()).expiresAt).toBeUndefined();
  });

  test('amo:auth with one set is refused with a sentence', async () => {
    const token = world.amo.standin.issueLongLived(3600);
    await expect(access(token).exchangeCode('code')).rejects.toMatchObject({ exit: 78 });
  });
});
