import { afterEach, describe, expect, test } from 'vitest';
import { ExitCode } from '../../src/base/errors.ts';
import type { RemoteError } from '../../src/base/remote-error.ts';
import { readSettings } from '../../src/config/settings.ts';
import { retailcrmSettings } from '../../src/systems/retailcrm/settings.ts';
import { type Answer, account, call, closeAccounts, failure, KEY, no, ok } from '../support/retailcrm-account.ts';

afterEach(closeAccounts);

describe('refusals', () => {
  const { Unavailable, CredentialsRefused } = ExitCode;
  test.each<[string, Answer, Partial<RemoteError>, RegExp]>([
    ['a wrong key', no(403, 'Wrong "apiKey" value.'), { exit: CredentialsRefused }, /RETAILCRM_API_KEY/],
    ['no right', no(200, 'Access denied.'), { exit: CredentialsRefused, outcome: 'refused' }, /RETAILCRM_API_KEY/],
    ['405 with a page', { status: 405, body: '<p>' }, { kind: 'operator', outcome: 'refused' }, /RETAILCRM_API_URL/],
    ['200 with a page', { body: '<p>' }, { kind: 'operator', outcome: 'in-doubt' }, /RETAILCRM_API_URL/],
    ['a redirect', { status: 301, body: '<p>' }, { kind: 'operator', status: undefined }, /RETAILCRM_API_URL/],
    ['no telephony', no(200, 'Telephony not enabled'), { exit: Unavailable, status: undefined }, /telephony module/],
    ['no store', no(400, "Parameter 'site' is missing"), { status: undefined }, /RETAILCRM_SITE/],
    ['success: false', no(200, 'Not now'), { message: 'RetailCRM refused it: Not now', status: 422 }, /HTTP 200/],
    ['neither yes nor no', { body: { id: 1 } }, { code: 'REMOTE_ODD_ANSWER', outcome: 'in-doubt' }, /lasts/],
    ['a crash', no(500, 'Internal Server Error'), { code: 'REMOTE_FAILING', outcome: 'in-doubt' }, /passes/],
  ])('%s', async (_, answer, expected, hint) => {
    const { client, seen } = await account(() => answer);
    const error = await failure(client.createTask({ text: 'x' }));
    expect(error).toMatchObject(expected);
    expect(error.hint).toMatch(hint);
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain(KEY);
    expect(seen).toHaveLength(1);
  });

  test.each([
    [{ phone: 'is +375290000001', e: ['bad', 'worse'] }, 'Errors: phone: is +375*******01; e: bad; e: worse'],
    [['first', 'second'], 'Errors: first; second'],
    [undefined, 'Errors'],
  ])('errors %j are told, phones masked', async (errors, words) => {
    const { client } = await account(() => no(400, 'Errors', { errors }));
    const error = await failure(client.createTask({ text: 'x' }));
    expect([error.message, error.status, error.outcome]).toEqual([`RetailCRM refused it: ${words}`, 400, 'refused']);
  });
});

describe('what is sent again', () => {
  test.each([503, 429])('%i: everything, for it was surely not carried out', async (status) => {
    const { client, seen, slept } = await account((_, nth) =>
      nth < 3 ? { status, body: '<p>', headers: nth === 1 ? { 'retry-after': '3' } : {} } : ok({ id: 9 }),
    );
    let sent = 0;
    const onSend = async () => void sent++;
    expect(await client.createTask({ text: 'x' }, onSend)).toBe(9);
    expect([seen.length, sent, slept]).toEqual([3, 3, [3000, 1000]]);
  });

  test('a limit that lasts ends the waiting', async () => {
    const { client, seen } = await account(() => no(503, 'Rate limit exceeded'));
    const error = await failure(client.createTask({ text: 'x' }));
    expect([error.code, error.kind, error.outcome]).toEqual(['REMOTE_BUSY', 'transient', 'refused']);
    expect(seen).toHaveLength(5);
  });

  test('after an uncertain end only what RetailCRM tells from a repetition', async () => {
    const { client, seen } = await account((_, nth) => (nth === 1 ? no(502, 'x') : ok({ processedCallsCount: 1 })));
    expect(await client.uploadCalls([call('1')])).toEqual({ processed: 1, duplicates: [] });
    expect(seen).toHaveLength(2);
    const other = await account(() => no(502, 'x'));
    await failure(other.client.createTask({ text: 'x' }));
    await failure(other.client.callEvent({ phone: '1', type: 'hangup' }));
    expect(other.seen).toHaveLength(2);
  });
});

test('the address is kept without the version, and nothing but an account’s address is taken', () => {
  const read = (url: string) =>
    readSettings({ baseDir: '/', values: { RETAILCRM_API_URL: url, RETAILCRM_API_KEY: KEY } }, [retailcrmSettings])
      .RETAILCRM_API_URL;
  for (const end of ['', '/', '/api', '/api/v5/']) {
    expect(read(`https://demo.retailcrm.ru${end}`)).toBe('https://demo.retailcrm.ru');
  }
  for (const wrong of ['http://demo.retailcrm.ru', 'https://demo.retailcrm.ru/admin/customers', 'demo']) {
    expect(() => read(wrong)).toThrow();
  }
});
