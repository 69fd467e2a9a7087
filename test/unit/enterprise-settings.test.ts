import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { cleanText } from '../../src/base/redact.ts';
import {
  type EnterpriseNeed,
  enterpriseGroup,
  enterpriseSettings,
  peekEnterprises,
} from '../../src/commands/enterprise-settings.ts';
import { defaultEnterprise, readCallsMapping } from '../../src/config/mapping-calls.ts';
import type { Enterprise } from '../../src/config/mapping-calls-types.ts';
import { readSettings } from '../../src/config/settings.ts';

const account = { RETAILCRM_API_URL: 'https://demo.retailcrm.ru/api/v5', RETAILCRM_API_KEY: 'first-key-0001' };
const CDR_URL = 'mysql://reader:p%40ssw0rd@127.0.0.1/asteriskcdrdb';
const ami = { ASTERISK_AMI_HOST: '127.0.0.1', ASTERISK_AMI_USER: 'sdelka', ASTERISK_AMI_SECRET: 'ami secret 1' };

function settingsOf(
  values: Record<string, string>,
  needs: readonly EnterpriseNeed[],
  enterprises: readonly Enterprise[] = [defaultEnterprise()],
) {
  const read = readSettings({ values, baseDir: '/' }, [enterpriseGroup(enterprises, needs)]);
  return enterprises.map((one) => enterpriseSettings(one, read));
}

function faultsOf(...given: Parameters<typeof settingsOf>): readonly string[] {
  try {
    settingsOf(...given);
  } catch (error) {
    if (error instanceof AppError && error.code === 'SETTINGS_INVALID') return error.faults;
    throw error;
  }
  return [];
}

/** Two firms, the second one with variables of its own. */
const second = {
  number: '0002',
  cdr: { host: 'pbx2', url_env: 'CDR_2' },
  retailcrm: { url_env: 'URL_2', key_env: 'KASSA_2', site: 'two' },
  asterisk: { host_env: 'AMI_2_HOST', user_env: 'AMI_2_USER', secret_env: 'AMI_2_SECRET', ssh_env: 'SSH_2' },
  client_id_env: 'CLIENT_2',
};
const two =
  readCallsMapping({ enterprises: [{ number: '0001', cdr: { host: 'pbx1' } }, second] }, [], () => undefined)
    ?.enterprises ?? [];

describe('enterpriseSettings', () => {
  test('reads the environment of one firm', () => {
    const [one] = settingsOf(
      {
        ...account,
        ...ami,
        CDR_URL,
        RETAILCRM_SITE: 'main',
        PBX_TIMEZONE: 'Europe/Minsk',
        RETAILCRM_CLIENT_ID: 'click-1',
      },
      ['crm', 'cdr', 'asterisk', 'module'],
    );
    expect(one).toMatchObject({
      apiUrl: 'https://demo.retailcrm.ru',
      site: 'main',
      recordingsBaseUrl: undefined,
      pbxZone: 'Europe/Minsk',
      ami: { host: '127.0.0.1', port: 5038, user: 'sdelka' },
      ssh: undefined,
    });
    expect(one?.cdrUrl?.reveal()).toBe(CDR_URL);
    expect(one?.clientId?.reveal()).toBe('click-1');
    expect(JSON.stringify(one)).not.toMatch(/first-key|p%40ss|ami secret|click-1/);
  });

  test('reads each firm by the names that the mapping gives, and hides its secrets whatever these names are', () => {
    expect(cleanText('second-key-0002')).toBe('second-key-0002');
    const values = {
      ...account,
      CDR_URL,
      RETAILCRM_SITE: 'main',
      URL_2: 'https://two.simla.com',
      KASSA_2: 'second-key-0002',
      CDR_2: 'postgres://reader:hush-hush@db/cdr',
    };
    const [one, other] = settingsOf(values, ['crm', 'cdr'], two);
    expect(one).toMatchObject({ apiUrl: 'https://demo.retailcrm.ru', site: 'main' });
    expect(other).toMatchObject({ apiUrl: 'https://two.simla.com', site: 'two' });
    expect(cleanText('second-key-0002 hush-hush p@ssw0rd p%40ssw0rd')).toBe(Array(4).fill('[redacted]').join(' '));
    const { KASSA_2: _, ...without } = values;
    expect(faultsOf(without, ['crm', 'cdr'], two)).toEqual([expect.stringMatching(/^KASSA_2: missing/)]);
  });

  test('asks for what is needed and for nothing else', () => {
    expect(faultsOf({}, ['crm', 'cdr']).map((fault) => fault.split(':')[0])).toEqual([
      'RETAILCRM_API_URL',
      'RETAILCRM_API_KEY',
      'CDR_URL',
    ]);
    const [one] = settingsOf({ ...account, CDR_URL: 'oracle://nobody/reads/this' }, ['crm']);
    expect(one?.cdrUrl).toBeUndefined();
    expect(one?.ami).toBeUndefined();
  });

  test('a PBX takes orders by AMI, whole, or by SSH', () => {
    const faults = (values: Record<string, string>, firms?: readonly Enterprise[]) =>
      faultsOf({ ...account, URL_2: 'https://two.simla.com', KASSA_2: 'key-2', ...values }, ['crm', 'asterisk'], firms);
    expect(faults({})).toEqual([expect.stringMatching(/^ASTERISK_AMI_HOST: missing.* ASTERISK_SSH for SSH$/)]);
    expect(faults({ ASTERISK_SSH: 'asterisk@pbx.lan' })).toEqual([]);
    expect(faults({ ASTERISK_SSH: 'asterisk@pbx.lan', ASTERISK_AMI_HOST: 'pbx.lan' })).toEqual([
      expect.stringMatching(/^ASTERISK_AMI_USER: missing/),
      expect.stringMatching(/^ASTERISK_AMI_SECRET: missing/),
    ]);
    expect(faults(ami)).toEqual([]);
    expect(faults(ami, two)).toEqual([]);
    expect(faults({ ...ami, AMI_2_HOST: 'pbx2.lan' }, two).map((fault) => fault.split(':')[0])).toEqual([
      'AMI_2_USER',
      'AMI_2_SECRET',
    ]);
  });

  test.each([
    ['CDR_URL', 'postgresql://reader@db/cdr', true],
    ['CDR_URL', 'postgres://reader@%2Fvar%2Frun%2Fpostgresql/cdr', true],
    ['CDR_URL', 'mariadb://reader:x@db:3307/asteriskcdrdb', true],
    ['CDR_URL', 'sqlite:/var/log/asterisk/master.db', true],
    ['CDR_URL', 'csv:Master.csv', true],
    ['CDR_URL', 'csv:', false],
    ['CDR_URL', 'mysql://reader@db', false],
    ['CDR_URL', 'mysql:/db/cdr', false],
    ['CDR_URL', 'https://db/cdr', false],
    ['RECORDINGS_BASE_URL', 'https://pbx.example.com/play?file=', true],
    ['RECORDINGS_BASE_URL', 'http://192.168.1.5/rec', true],
    ['RECORDINGS_BASE_URL', 'http://pbx/rec/', true],
    ['RECORDINGS_BASE_URL', 'http://pbx.example.com/rec/', false],
    ['RECORDINGS_BASE_URL', 'https://me:secret@pbx.example.com/rec/', false],
    ['RECORDINGS_BASE_URL', '/var/spool/asterisk/monitor', false],
    ['ASTERISK_AMI_HOST', '::1', true],
    ['ASTERISK_AMI_HOST', 'pbx.lan', true],
    ['ASTERISK_AMI_HOST', 'tcp://pbx.lan', false],
    ['ASTERISK_AMI_HOST', 'pbx.lan:5038', false],
    ['ASTERISK_AMI_PORT', '0', false],
    ['ASTERISK_AMI_PORT', '65536', false],
    ['ASTERISK_AMI_USER', 'two words', false],
    ['ASTERISK_AMI_SECRET', 'a b # c', true],
    ['ASTERISK_AMI_SECRET', 'a\r\nAction: Command', false],
    ['ASTERISK_SSH', 'root@10.0.0.1', true],
    ['ASTERISK_SSH', '-oProxyCommand=id@host', false],
    ['ASTERISK_SSH', 'root@-oProxyCommand=id', false],
    ['ASTERISK_SSH', 'root@host;id', false],
    ['ASTERISK_SSH', 'host', false],
    ['RETAILCRM_MODULE_CODE', 'my/module', false],
    ['RETAILCRM_API_URL', 'https://demo.retailcrm.ru/admin', false],
    ['PBX_TIMEZONE', 'MSK+3', false],
  ])('%s=%j: %s', (name, value, taken) => {
    const faults = faultsOf({ ...account, ...ami, CDR_URL, [name]: value }, ['crm', 'cdr', 'asterisk', 'module']);
    expect(faults).toEqual(taken ? [] : [expect.stringMatching(new RegExp(`^${name}: expected `))]);
  });
});

describe('peekEnterprises', () => {
  async function peek(yaml: string): Promise<readonly string[]> {
    const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-peek-'));
    writeFileSync(join(baseDir, 'mapping.yaml'), yaml);
    return (await peekEnterprises({ values: {}, baseDir }, undefined)).map(({ number }) => number);
  }

  test('the file says who there is, else the environment', async () => {
    expect(await peek('calls: { enterprises: [{ number: "7", cdr: { host: a } }] }\n')).toEqual(['7']);
    expect(await peek('kaspi: {}\n# no calls\n')).toEqual(['0001']);
    expect(await peek('calls:\n')).toEqual(['0001']);
    const nowhere = await peekEnterprises({ values: {}, baseDir: '/nowhere' }, 'no.yaml');
    expect(nowhere).toEqual([defaultEnterprise()]);
  });

  test('a fault of another part is none of its business; its own, and no variable is missed', async () => {
    expect(await peek('kaspi: { x: 1 }\ncalls: { enterprises: [{ number: "7", cdr: { host: a } }] }\n')).toEqual(['7']);
    expect(await peek('calls: { enterprises: [{ number: 7 }] }\n')).toEqual([]);
    expect(await peek('calls: [\n')).toEqual([]);
  });
});
