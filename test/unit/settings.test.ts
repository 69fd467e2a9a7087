import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { type Environment, loadEnvironment } from '../../src/config/env.ts';
import { coreSettings, readSettings, secretTexts } from '../../src/config/settings.ts';
import type { Variable } from '../../src/config/variables.ts';
import { amoBaseUrl, amoSettings } from '../../src/systems/amocrm/settings.ts';
import { asteriskSettings } from '../../src/systems/asterisk/settings.ts';
import { kaspiSettings } from '../../src/systems/kaspi/settings.ts';
import { mailSettings } from '../../src/systems/mail/settings.ts';
import { onecSettings } from '../../src/systems/onec/settings.ts';
import { moduleSettings, retailcrmSettings } from '../../src/systems/retailcrm/settings.ts';
import { telegramSettings } from '../../src/systems/telegram/settings.ts';

const groups = [coreSettings, kaspiSettings, amoSettings, telegramSettings, mailSettings] as const;

const least = { KASPI_API_TOKEN: 'kaspi-token=', AMO_SUBDOMAIN: 'demo', AMO_LONG_LIVED_TOKEN: 'amo-token' };

function environment(values: Record<string, string>): Environment {
  return { values, baseDir: '/srv/sdelka' };
}

function faultsOf(values: Record<string, string>): readonly string[] {
  return thrownBy(() => readSettings(environment(values), groups)).faults;
}

function thrownBy(action: () => unknown): AppError {
  try {
    action();
  } catch (error) {
    if (error instanceof AppError) {
      return error;
    }
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('readSettings', () => {
  test('fills in the defaults of the contract', () => {
    expect(readSettings(environment(least), groups)).toMatchObject({
      DATABASE_URL: 'sqlite:integrator.db',
      TIMEZONE: 'Asia/Almaty',
      DEFAULT_COUNTRY: 'KZ',
      LOCALE: 'ru',
      DRY_RUN: false,
      MAX_CHANGES_PER_RUN: 500,
      KASPI_API_URL: 'https://kaspi.kz/shop/api/v2',
      KASPI_ALLOWED_STATES: ['NEW', 'SIGN_REQUIRED', 'PICKUP', 'DELIVERY', 'KASPI_DELIVERY'],
      KASPI_PAGE_SIZE: 100,
      KASPI_POLL_LOOKBACK: '1',
      KASPI_POLL_EVERY: 60_000,
      ONEC_EXPORT_LOOKBACK: '0',
      ONEC_IMPORT_EVERY: 900_000,
      RETAIL_CALLS_LOOKBACK: '1',
      RETAIL_HISTORY_LOOKBACK: '30',
      RETAIL_SYNC_CALLS_EVERY: 300_000,
      RETAIL_SYNC_HISTORY_EVERY: 600_000,
      AMO_RPS: 6,
    });
  });

  test('names every missing and every wrong variable at once, without what they hold', () => {
    const error = thrownBy(() =>
      readSettings(
        environment({
          KASPI_PAGE_SIZE: 'pa55word',
          AMO_RPS: '1001',
          TIMEZONE: 'Asia/Nowhere',
          LOCALE: 'kk',
          KASPI_POLL_LOOKBACK: '1w',
          AMO_CLIENT_ID: 'client',
        }),
        groups,
      ),
    );
    expect(error).toMatchObject({ code: 'SETTINGS_INVALID', exit: 78, kind: 'operator' });
    expect(error.faults.map((fault) => fault.split(':')[0]).sort()).toEqual([
      'AMO_BASE_URL',
      'AMO_CLIENT_SECRET',
      'AMO_REDIRECT_URI',
      'AMO_RPS',
      'KASPI_API_TOKEN',
      'KASPI_PAGE_SIZE',
      'KASPI_POLL_LOOKBACK',
      'LOCALE',
      'TIMEZONE',
    ]);
    expect(JSON.stringify([error.message, error.hint, error.faults])).not.toContain('pa55word');
    expect(error.faults).toContain('KASPI_PAGE_SIZE: expected a whole number from 1 to 100');
  });

  test('asks only for the groups it is given', () => {
    expect(readSettings(environment({}), [coreSettings]).LOG_LEVEL).toBe('info');
    expect(() => readSettings(environment({}), [kaspiSettings])).toThrow(AppError);
  });

  test.each([
    ['KASPI_API_URL', 'http://kaspi.kz/shop/api/v2'],
    ['KASPI_API_URL', 'https://user:secret@kaspi.kz/shop/api/v2'],
    ['KASPI_API_URL', 'https://kaspi.kz/shop/api/v2?x=1'],
    ['KASPI_API_TOKEN', 'two words'],
    ['KASPI_API_TOKEN', 'токен'],
    ['KASPI_ALLOWED_STATES', 'NEW,TELEPORT'],
    ['KASPI_PUSH', 'maybe'],
    ['AMO_BASE_URL', 'https://demo.amocrm.ru/leads/pipeline/'],
    ['AMO_BASE_URL', 'demo.amocrm.ru'],
    ['AMO_BASE_URL', 'http://127.0.0.1.example.com'],
    ['AMO_SUBDOMAIN', 'demo.amocrm.ru'],
    ['AMO_PIPELINE_ID', '0'],
    ['AMO_PIPELINE_ID', '1e5'],
    ['AMO_LONG_LIVED_TOKEN_EXPIRES', '31.01.2030'],
    ['AMO_LONG_LIVED_TOKEN_EXPIRES', '2030-13-01'],
    ['DATABASE_URL', 'mysql://localhost/x'],
    ['DATABASE_URL', 'sqlite:'],
    ['TIMEZONE', '+05:00'],
    ['DEFAULT_COUNTRY', 'KAZ'],
    ['DEFAULT_COUNTRY', 'QX'],
    ['KASPI_POLL_EVERY', '0m'],
    ['HTTP_TIMEOUT_MS', '15s'],
  ])('refuses %s=%s', (name, value) => {
    expect(faultsOf({ ...least, [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: expected `))]);
  });

  test.each([
    ['KASPI_API_URL', 'http://127.0.0.1:9000/shop/api/v2/', 'http://127.0.0.1:9000/shop/api/v2'],
    ['AMO_BASE_URL', 'http://[::1]:9001/', 'http://[::1]:9001'],
    ['AMO_BASE_URL', 'https://demo.kommo.com', 'https://demo.kommo.com'],
    ['KASPI_ALLOWED_STATES', 'ARCHIVE, NEW,NEW', ['NEW', 'ARCHIVE']],
    ['KASPI_PUSH', 'Yes', true],
    ['DRY_RUN', '1', true],
    ['DRY_RUN', 'off', false],
    ['NO_COLOR', '0', true],
    ['TIMEZONE', 'Asia/Qyzylorda', 'Asia/Qyzylorda'],
    ['DEFAULT_COUNTRY', 'uz', 'UZ'],
    ['AMO_REDIRECT_URI', 'https://example.com/oauth/', 'https://example.com/oauth/'],
    ['AMO_LONG_LIVED_TOKEN_EXPIRES', '2030-01-31', new Date('2030-01-31T00:00:00Z')],
    ['HEARTBEAT_URL', 'https://hc.example.com/{job}', 'https://hc.example.com/{job}'],
    ['DATABASE_URL', 'postgres://sdelka:p%40ss@db/sdelka', 'postgres://sdelka:p%40ss@db/sdelka'],
    ['KASPI_RECONCILE_EVERY', '6h', 21_600_000],
  ])('reads %s=%s', (name, value, expected) => {
    expect(readSettings(environment({ ...least, [name]: value }), groups)).toMatchObject({ [name]: expected });
  });

  test('wants the long-lived token or the whole OAuth integration, and pairs whole', () => {
    const oauth = {
      KASPI_API_TOKEN: 't',
      AMO_BASE_URL: 'https://demo.amocrm.ru',
      AMO_CLIENT_ID: 'c',
      AMO_CLIENT_SECRET: 's',
      AMO_REDIRECT_URI: 'https://example.com/',
    };
    expect(readSettings(environment(oauth), groups).AMO_CLIENT_ID).toBe('c');
    expect(faultsOf({ ...oauth, AMO_ACCESS_TOKEN: 'a' })).toEqual([
      expect.stringMatching(/^AMO_REFRESH_TOKEN: missing/),
    ]);
    expect(faultsOf({ KASPI_API_TOKEN: 't', AMO_SUBDOMAIN: 'demo' })).toEqual([
      expect.stringMatching(/^AMO_LONG_LIVED_TOKEN: missing/),
    ]);
  });

  test('secrets are typed, print as [redacted] and are listed for the log to hide', () => {
    const values = { ...least, SECRET_KEY: 'key of the house', DATABASE_URL: 'postgres://u:p%40ss@db/x' };
    const settings = readSettings(environment(values), groups);
    expect(JSON.stringify(settings)).not.toMatch(/kaspi-token|amo-token|key of the house/);
    expect(settings.KASPI_API_TOKEN.reveal()).toBe('kaspi-token=');
    expect([...secretTexts(environment(values), groups)].sort()).toEqual(
      ['amo-token', 'kaspi-token=', 'key of the house', 'p%40ss', 'p@ss'].sort(),
    );
  });

  test('the account address comes from AMO_BASE_URL, else from AMO_SUBDOMAIN', () => {
    const settings = readSettings(environment(least), groups);
    expect(amoBaseUrl(settings)).toBe('https://demo.amocrm.ru');
    expect(amoBaseUrl({ ...settings, AMO_BASE_URL: 'https://demo.kommo.com' })).toBe('https://demo.kommo.com');
  });
});

describe('loadEnvironment', () => {
  function folderWith(files: Record<string, string>): string {
    const folder = mkdtempSync(join(tmpdir(), 'sdelka-env-'));
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, name), text);
    }
    return folder;
  }

  test('the environment wins over the file, and empty values count as absent', () => {
    const cwd = folderWith({ '.env': '\uFEFFA=file\nB=file\nC=\nD="x # y"\n' });
    const { values, baseDir, file } = loadEnvironment({ cwd, processEnv: { A: 'real', B: '', E: ' ' } });
    expect(values).toEqual({ A: 'real', B: 'file', D: 'x # y' });
    expect({ baseDir, file }).toEqual({ baseDir: cwd, file: join(cwd, '.env') });
  });

  test('process.env stays as it was', () => {
    const cwd = folderWith({ '.env': 'SDELKA_TEST_ONLY=1\n' });
    loadEnvironment({ cwd, processEnv: process.env });
    expect(process.env.SDELKA_TEST_ONLY).toBeUndefined();
  });

  test('AMOCRM_X is read as AMO_X where the latter is absent, wherever each stands', () => {
    const cwd = folderWith({ '.env': 'AMOCRM_RPS=2\nAMO_CLIENT_ID=ours\n' });
    const { values } = loadEnvironment({ cwd, processEnv: { AMOCRM_CLIENT_ID: 'theirs' } });
    expect(values).toMatchObject({ AMO_RPS: '2', AMO_CLIENT_ID: 'ours' });
  });

  test('without a file the working directory is the base', () => {
    const cwd = folderWith({});
    expect(loadEnvironment({ cwd, processEnv: {} })).toEqual({ values: {}, baseDir: cwd });
  });

  test('a named file must exist, whether named by option or variable', () => {
    const cwd = folderWith({ 'shop.env': 'A=1\n' });
    expect(loadEnvironment({ cwd, envFile: 'shop.env', processEnv: { SDELKA_ENV_FILE: 'no.env' } }).values.A).toBe('1');
    expect(thrownBy(() => loadEnvironment({ cwd, envFile: 'no.env', processEnv: {} })).exit).toBe(78);
    const byVariable = thrownBy(() => loadEnvironment({ cwd, processEnv: { SDELKA_ENV_FILE: 'no.env' } }));
    expect(byVariable).toMatchObject({ exit: 78, message: expect.stringContaining('no.env') });
    expect(thrownBy(() => loadEnvironment({ cwd, envFile: '.', processEnv: {} })).message).toContain('EISDIR');
  });
});

describe('.env.example', () => {
  const lines = readFileSync('.env.example', 'utf8').matchAll(/^#?([A-Z][A-Z0-9_]*)=(.*)$/gm);
  const shown = new Map([...lines].map(([, name = '', value = '']) => [name, value]));
  const variables: [string, Variable<unknown>][] = [
    ...groups,
    onecSettings,
    retailcrmSettings,
    asteriskSettings,
    moduleSettings,
  ].flatMap((group) => Object.entries<Variable<unknown>>(group.variables));

  test('shows exactly the variables that are read', () => {
    expect([...shown.keys()].sort()).toEqual(variables.map(([name]) => name).sort());
  });

  test.each(variables)('%s: shows the default, or an example that would be taken', (name, variable) => {
    const value = shown.get(name) ?? '';
    if (variable.fallback !== undefined) {
      expect(value).toBe(variable.fallback);
    }
    expect(value === '' ? {} : variable.read(value)).not.toHaveProperty('fault');
  });
});
