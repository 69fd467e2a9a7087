import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { variablesOf, withVariables } from '../../src/config/env-text.ts';
import { type Outcome, sdelka } from '../support/cli.ts';

const ENV = `# Our shop
TIMEZONE=Asia/Almaty
DATABASE_URL='postgres://sdelka:hush-hush@db/sdelka'
export AMO_RPS=5 # the account is shared
#AMO_CATALOG_ID=5501
KASPI_API_TOKEN=kaspi-secret
AMO_LONG_LIVED_TOKEN="amo secret"
SECRET_KEY=
SOMETHING_ELSE=1
`;

const MAPPING = `# Ours
onec:
  statuses:
    - { pipeline: 1, status: 142, state: "Готов к отгрузке" }   # the last

kaspi: { note: true }
`.replace('note', 'never_back');

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sdelka-settings-file-'));
  await writeFile(join(dir, '.env'), ENV, { mode: 0o640 });
  await writeFile(join(dir, 'mapping.yaml'), MAPPING);
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const run = (args: readonly string[]) => sdelka(args, { cwd: dir });
const read = (name: string) => readFileSync(join(dir, name), 'utf8');
const result = ({ stdout }: Outcome) => JSON.parse(stdout) as Record<string, unknown>;

function refused({ code, stdout, lines }: Outcome, expected: object): unknown {
  expect({ code, stdout, line: lines[0] }).toMatchObject({ stdout: '', ...expected });
  return lines[0]?.faults;
}

describe('settings:export', () => {
  test('R4 writes mapping and settings into a file of the owner’s own; secrets stay, and are named', async () => {
    const outcome = await run(['settings:export', 'shop.yaml']);
    expect(outcome.code).toBe(0);
    expect(result(outcome)).toEqual({
      file: join(dir, 'shop.yaml'),
      settings: ['TIMEZONE', 'AMO_RPS'],
      left_out: ['DATABASE_URL', 'KASPI_API_TOKEN', 'AMO_LONG_LIVED_TOKEN'],
      mapping: true,
    });
    expect(statSync(join(dir, 'shop.yaml')).mode & 0o777).toBe(0o600);
    expect(read('shop.yaml')).not.toMatch(/secret"|kaspi-secret|amo secret|hush/);
    expect(parse(read('shop.yaml'))).toEqual({
      sdelka_settings: 1,
      settings: { TIMEZONE: 'Asia/Almaty', AMO_RPS: '5' },
      left_out: ['DATABASE_URL', 'KASPI_API_TOKEN', 'AMO_LONG_LIVED_TOKEN'],
      mapping: MAPPING,
    });
    expect(read('shop.yaml')).toContain('\n  # Ours\n');
  });

  test('a file that exists is replaced only with --force; a dry run writes nothing', async () => {
    expect((await run(['--dry-run', 'settings:export', 'shop.yaml'])).code).toBe(0);
    expect(existsSync(join(dir, 'shop.yaml'))).toBe(false);
    await writeFile(join(dir, 'shop.yaml'), 'mine', { mode: 0o644 });
    refused(await run(['settings:export', 'shop.yaml']), { code: 64, line: { code: 'USAGE' } });
    expect(read('shop.yaml')).toBe('mine');
    expect((await run(['settings:export', 'shop.yaml', '--force'])).code).toBe(0);
    expect(statSync(join(dir, 'shop.yaml')).mode & 0o777).toBe(0o600);
    refused(await run(['settings:export', 'no/where.yaml']), { code: 78, line: { code: 'SETTINGS_FILE_UNWRITABLE' } });
  });
});

describe('settings:import', () => {
  const shop = (settings: string, mapping = '') =>
    writeFile(join(dir, 'shop.yaml'), `sdelka_settings: 1\n${settings}${mapping}`);

  test('R4 what was exported here comes in elsewhere, beside the secrets and comments that stand there', async () => {
    await run(['settings:export', 'shop.yaml']);
    expect(result(await run(['settings:import', 'shop.yaml']))).toMatchObject({
      settings: [],
      mapping: 'the same',
      kept: [],
    });
    const other = `# Theirs\nKASPI_API_TOKEN=theirs\nAMO_RPS=1\n`;
    await writeFile(join(dir, '.env'), other, { mode: 0o640 });
    await writeFile(join(dir, 'mapping.yaml'), '# Theirs\n');
    const planned = await run(['--dry-run', 'settings:import', 'shop.yaml']);
    expect(result(planned)).toEqual({
      dry_run: true,
      env_file: join(dir, '.env'),
      settings: [
        { name: 'TIMEZONE', from: null, to: 'Asia/Almaty' },
        { name: 'AMO_RPS', from: '1', to: '5' },
      ],
      mapping_file: join(dir, 'mapping.yaml'),
      mapping: 'from line 1 on 1 lines become 6',
      secrets_to_set: ['DATABASE_URL', 'AMO_LONG_LIVED_TOKEN'],
      kept: [],
    });
    expect([read('.env'), read('mapping.yaml')]).toEqual([other, '# Theirs\n']);

    expect(result(await run(['settings:import', 'shop.yaml'])).kept).toEqual([
      join(dir, '.env.bak'),
      join(dir, 'mapping.yaml.bak'),
    ]);
    expect(read('.env')).toBe(
      '# Theirs\nKASPI_API_TOKEN=theirs\nAMO_RPS=5\n\n# From settings:import\nTIMEZONE=Asia/Almaty\n',
    );
    expect([read('mapping.yaml'), read('.env.bak'), read('mapping.yaml.bak')]).toEqual([MAPPING, other, '# Theirs\n']);
    expect(['.env', '.env.bak'].map((name) => statSync(join(dir, name)).mode & 0o777)).toEqual([0o640, 0o640]);
  });

  test('every fault is listed and nothing is taken', async () => {
    await shop(
      `settings:
  TIMEZONE: Asia/Nowhere
  AMO_RSP: 5
  KASPI_API_TOKEN: a-secret
  DATABASE_URL: postgres://u:hush@db/x
  AMO_RPS: [5]
colour: red
`,
      'mapping: |\n  kaspi:\n    never_bak: true\n',
    );
    const outcome = await run(['settings:import', 'shop.yaml']);
    const faults = refused(outcome, { code: 78, line: { code: 'SETTINGS_FILE_INVALID' } });
    expect(outcome.stderr).not.toMatch(/a-secret|hush/);
    expect(faults).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^shop\.yaml:3: settings\.TIMEZONE: expected an IANA time zone/),
        expect.stringMatching(/^shop\.yaml:4: settings\.AMO_RSP: unknown key; did you mean AMO_RPS\?$/),
        expect.stringMatching(/^shop\.yaml:5: settings\.KASPI_API_TOKEN: a secret/),
        expect.stringMatching(/^shop\.yaml:6: settings\.DATABASE_URL: a secret/),
        expect.stringMatching(/^shop\.yaml:7: settings\.AMO_RPS: expected a text/),
        expect.stringMatching(/^shop\.yaml:8: colour: unknown key/),
        // Counted from the mapping's own first line.
        expect.stringMatching(/^mapping:2: kaspi\.never_bak: unknown key; did you mean never_back\?$/),
      ]),
    );
    expect(faults).toHaveLength(7);
    expect([read('.env'), read('mapping.yaml')]).toEqual([ENV, MAPPING]);
    refused(await run(['settings:import', 'no.yaml']), { code: 78, line: { code: 'SETTINGS_FILE_UNREADABLE' } });
    await writeFile(join(dir, 'shop.yaml'), 'settings: {}\n');
    refused(await run(['settings:import', 'shop.yaml']), { code: 78, line: { code: 'SETTINGS_FILE_INVALID' } });
  });
});

describe('withVariables', () => {
  test('replaces in place, keeps comments, puts a new one under the line that shows it', () => {
    const { text, faults } = withVariables(ENV, { AMO_RPS: '7', AMO_CATALOG_ID: '9', SECRET_KEY: 'two words # x' });
    expect(faults).toEqual([]);
    expect(text).toBe(
      ENV.replace('export AMO_RPS=5', 'AMO_RPS=7')
        .replace('#AMO_CATALOG_ID=5501\n', '#AMO_CATALOG_ID=5501\nAMO_CATALOG_ID=9\n')
        .replace('SECRET_KEY=', "SECRET_KEY='two words # x'"),
    );
    expect(withVariables('A=1\r\n', { A: '2', B: '3' }).text).toBe('A=2\r\n\r\n# From settings:import\r\nB=3\r\n');
  });

  test.each(["it's", 'a "b"', `'"`, 'back\\slash', ' blank ', '#x', 'Обмен', '$HOME', '`tick`'])(
    'writes %j',
    (value) => {
      expect(variablesOf(withVariables('X=1\nY=2\n', { X: value }).text)).toEqual({ X: value, Y: '2' });
    },
  );

  test('what it could not change without harm is a fault', () => {
    expect(withVariables('X="1\nZ=2"\nY=3\n', { X: '4' }).faults).not.toEqual([]);
    expect(withVariables('', { X: 'a\r\nb' }).faults).toEqual([expect.stringMatching(/^X: /)]);
  });
});
