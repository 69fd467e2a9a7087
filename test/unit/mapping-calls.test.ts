import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { loadMapping } from '../../src/config/mapping.ts';
import { defaultEnterprise, readCallsMapping } from '../../src/config/mapping-calls.ts';
import type { CallsMapping } from '../../src/config/mapping-calls-types.ts';
import { pathText } from '../../src/config/shape.ts';

function read(value: unknown): { mapping: CallsMapping | undefined; faults: string[] } {
  const faults: string[] = [];
  const mapping = readCallsMapping(value, ['calls'], (path, message) => faults.push(`${pathText(path)}: ${message}`));
  return { mapping, faults };
}

const least = { number: '0001', cdr: { host: 'pbx1' } };

/** Faults of one enterprise that has these keys besides, their paths from the enterprise on. */
function faultsWith(more: Record<string, unknown>): string[] {
  const { mapping, faults } = read({ enterprises: [{ ...least, ...more }] });
  expect(mapping).toBeUndefined();
  return faults.map((fault) => fault.replace('calls.enterprises[0].', ''));
}

async function load(yaml: string) {
  const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-calls-'));
  writeFileSync(join(baseDir, 'mapping.yaml'), yaml);
  return loadMapping({ baseDir });
}

async function faultsOf(yaml: string): Promise<readonly string[]> {
  const error: unknown = await load(yaml).catch((reason: unknown) => reason);
  if (error instanceof AppError) return error.faults;
  throw new Error('the mapping was taken');
}

describe('the part `calls`', () => {
  test('two keys are enough; every other has its default', () => {
    const { mapping, faults } = read({ enterprises: [least] });
    expect(faults).toEqual([]);
    expect(mapping?.enterprises).toEqual([defaultEnterprise()]);
    expect(defaultEnterprise()).toMatchObject({
      number: '0001',
      country: undefined,
      retailcrm: { urlEnv: 'RETAILCRM_API_URL', keyEnv: 'RETAILCRM_API_KEY', site: undefined, timeZone: undefined },
      cdr: { urlEnv: 'CDR_URL', host: 'pbx1', table: 'cdr', timeZone: undefined, columns: undefined, quietMs: 120_000 },
      recordings: { baseUrlEnv: 'RECORDINGS_BASE_URL', path: undefined, graceMs: 300_000 },
      extensions: new Map(),
      internalLength: { min: 2, max: 5 },
      trunks: [],
      outboundPrefix: '',
      manager: 'last',
      clientIdEnv: 'RETAILCRM_CLIENT_ID',
      createCustomers: { incoming: true, outgoing: true, missed: true },
      missed: { task: true, order: false, dueMs: 900_000, withinMs: 604_800_000, performer: undefined },
      asterisk: {
        hostEnv: 'ASTERISK_AMI_HOST',
        portEnv: 'ASTERISK_AMI_PORT',
        userEnv: 'ASTERISK_AMI_USER',
        secretEnv: 'ASTERISK_AMI_SECRET',
        sshEnv: 'ASTERISK_SSH',
        channel: { text: 'Local/{extension}@from-internal' },
        context: 'from-internal',
        dial: { text: '{prefix}{digits}' },
        allow: ['+7', '+375'],
      },
    });
  });

  test('the contract reads as it is written there', async () => {
    const { calls } = await load(`
calls:
  enterprises:
    - number: "0001"
      retailcrm: { url_env: RETAILCRM_API_URL, key_env: RETAILCRM_API_KEY, site: main }
      cdr: { url_env: CDR_URL, host: pbx1, table: cdr }
      extensions: { "201": Manager@Example.com, 202: 24, "0203": "25" }
      trunks: ["PJSIP/trunk-a"]
      outbound_prefix: ""
      client_id_env: RETAILCRM_CLIENT_ID
      create_customers: { incoming: true, outgoing: false, missed: true }
      missed: { task: true, order: false, due: 20m }
`);
    const [one] = calls?.enterprises ?? [];
    expect(one?.retailcrm.site).toBe('main');
    const users = [
      ['201', 'manager@example.com'],
      ['202', 24],
      ['0203', 25],
    ];
    expect([...(one?.extensions ?? [])].sort()).toEqual(users.toSorted());
    expect(one?.trunks).toEqual(['PJSIP/trunk-a']);
    expect(one?.createCustomers).toEqual({ incoming: true, outgoing: false, missed: true });
    expect(one?.missed.dueMs).toBe(1_200_000);
  });

  test('absent or left empty, it is not there; the example shows every key', async () => {
    expect((await load('kaspi:\n')).calls).toBeUndefined();
    expect((await load('calls:\n')).calls).toBeUndefined();
    const { calls } = await loadMapping({ baseDir: process.cwd(), file: 'mapping.example.yaml' });
    const [one] = calls?.enterprises ?? [];
    const absent = (value: object): string[] =>
      Object.keys(value).filter((key) => Reflect.get(value, key) === undefined);
    for (const part of [one, one?.retailcrm, one?.cdr, one?.recordings, one?.missed, one?.asterisk]) {
      expect(absent(part ?? { all: undefined })).toEqual([]);
    }
  });

  test('what was kept is not looked at where calls are not wanted', async () => {
    const baseDir = mkdtempSync(join(tmpdir(), 'sdelka-calls-'));
    writeFileSync(join(baseDir, 'mapping.yaml'), 'calls: { enterprises: [{ number: "7", cdr: { host: a } }] }\n');
    const kept = new Map<string, unknown>();
    const memory = {
      get: async (hash: string) => kept.get(hash),
      put: async (hash: string, value: unknown) => void kept.set(hash, value),
    };
    const wanted = await loadMapping({ baseDir, memory });
    expect(wanted.calls?.enterprises[0]?.number).toBe('7');
    expect(await loadMapping({ baseDir, memory })).toEqual(wanted);
    expect((await loadMapping({ baseDir, memory, calls: false })).calls).toBeUndefined();
  });

  test('every fault is told at once, with its path and its line', async () => {
    expect(
      await faultsOf(`calls:
  enterprises:
    - number: 0001
      cdr: { hosts: pbx1 }
      manger: last
      missed: { due: 15 }
`),
    ).toEqual([
      expect.stringMatching(/^mapping\.yaml:3: calls\.enterprises\[0]\.number: expected .*in quotes/),
      expect.stringMatching(/^mapping\.yaml:4: calls\.enterprises\[0]\.cdr\.hosts: unknown key; did you mean host\?/),
      expect.stringMatching(/^mapping\.yaml:5: calls\.enterprises\[0]\.manger: unknown key; did you mean manager\?/),
      expect.stringMatching(/^mapping\.yaml:6: calls\.enterprises\[0]\.missed\.due: expected a length of time/),
    ]);
  });

  test('an extension that YAML would rob of its zeros is a fault, not another extension', async () => {
    const yaml = (key: string) =>
      `calls:\n  enterprises:\n    - number: "1"\n      cdr: { host: a }\n      extensions:\n        ${key}: 5\n`;
    expect(await faultsOf(yaml('0201'))).toEqual([
      'mapping.yaml:6: this key is written 0201 and reads 201: put it in quotes',
    ]);
    expect([...((await load(yaml('"0201"'))).calls?.enterprises[0]?.extensions.keys() ?? [])]).toEqual(['0201']);
  });

  test('no two enterprises share a number or a host; a key they may share', () => {
    const second = { number: '0002', cdr: { host: 'pbx2', url_env: 'CDR_URL_2' } };
    expect(read({ enterprises: [least, second] }).faults).toEqual([]);
    expect(read({ enterprises: [least, second, { number: '0002', cdr: { host: 'pbx1' } }] }).faults).toEqual([
      'calls.enterprises[2].number: enterprises[1] has this number already',
      'calls.enterprises[2].cdr.host: enterprises[0] has this host already',
    ]);
    expect(read({ enterprises: [least, { number: '0002', cdr: { host: 'pbx2' } }] }).faults).toEqual([
      'calls.enterprises[1].cdr.url_env: enterprises[0] sends the same call records to the same account',
    ]);
    const elsewhere = { number: '0003', cdr: { host: 'pbx3' }, retailcrm: { key_env: 'KEY_3' } };
    expect(read({ enterprises: [least, elsewhere] }).faults).toEqual([]);
    expect(read({ enterprises: [] }).faults).toEqual(['calls.enterprises: expected at least one value']);
    expect(read({}).faults).toEqual(['calls.enterprises: missing']);
  });

  test.each<[string, Record<string, unknown>]>([
    ['number', { number: 'a:b' }],
    ['number', { number: 'a@b' }],
    ['cdr.host', { cdr: { host: 'pbx:1' } }],
    ['cdr.host', { cdr: { host: 'x'.repeat(33) } }],
    ['cdr.table', { cdr: { host: 'a', table: 'cdr; DROP TABLE cdr' } }],
    ['cdr.table', { cdr: { host: 'a', table: 'a.b.c' } }],
    ['cdr.timezone', { cdr: { host: 'a', timezone: '+03:00' } }],
    ['cdr.columns[1]', { cdr: { host: 'a', columns: ['src', 'SRC'] } }],
    ['cdr.columns', { cdr: { host: 'a', columns: [] } }],
    ['cdr.quiet', { cdr: { host: 'a', quiet: '0m' } }],
    ['country', { country: 'BYN' }],
    ['retailcrm.timezone', { retailcrm: { timezone: 'Europe/Nowhere' } }],
    ['recordings.path', { recordings: { path: '{YYYY}/{MM}' } }],
    ['recordings.path', { recordings: { path: '{files}' } }],
    ['recordings.path', { recordings: { path: '{file} x' } }],
    ['extensions.a b', { extensions: { 'a b': 1 } }],
    ['extensions.201', { extensions: { '201': 'manager' } }],
    ['extensions.201', { extensions: { '201': 0 } }],
    ['extensions', { extensions: ['201'] }],
    ['internal_length', { internal_length: [5, 2] }],
    ['internal_length', { internal_length: 4 }],
    ['outbound_prefix', { outbound_prefix: 9 }],
    ['outbound_prefix', { outbound_prefix: '9,1' }],
    ['manager', { manager: 'lsat' }],
    ['missed.performer', { missed: { performer: 'x@y' } }],
    ['missed.order_status', { missed: { order_status: 'a b' } }],
    ['asterisk.channel', { asterisk: { channel: 'Local/{extension}@x&PJSIP/2' } }],
    ['asterisk.channel', { asterisk: { channel: 'Local/201@from-internal' } }],
    ['asterisk.channel', { asterisk: { channel: '{extension}' } }],
    ['asterisk.context', { asterisk: { context: 'from-internal\nAction: Command' } }],
    ['asterisk.context', { asterisk: { context: '' } }],
    ['asterisk.dial', { asterisk: { dial: '{digits},1' } }],
    ['asterisk.dial', { asterisk: { dial: ['$', '{SHELL(id)}{digits}'].join('') } }],
    ['asterisk.dial', { asterisk: { dial: '{prefix}' } }],
    ['asterisk.allow[0]', { asterisk: { allow: [7] } }],
    ['asterisk.allow[0]', { asterisk: { allow: ['7'] } }],
    ['asterisk.allow[0]', { asterisk: { allow: ['+'] } }],
    ['asterisk.allow', { asterisk: { allow: [] } }],
    ['retailcrm.key_env', { retailcrm: { key_env: 'RETAILCRM_API_URL' } }],
  ])('refuses %s: %j', (path, more) => {
    const faults = faultsWith(more);
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) expect(fault.slice(0, fault.indexOf(':'))).toBe(path);
  });

  test('a key put where the name of its variable belongs is refused, and not shown', () => {
    const [fault = '', ...others] = faultsWith({ retailcrm: { key_env: 'aB3dE5fG7hJ9' } });
    expect(others).toEqual([]);
    expect(fault).toMatch(/^retailcrm\.key_env: expected the name of a variable/);
    expect(fault).not.toContain('aB3dE5fG7hJ9');
  });
});
