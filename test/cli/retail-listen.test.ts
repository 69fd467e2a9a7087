import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { AMI_SANDBOX_SECRET, AMI_SANDBOX_USER, type AmiStandin, amiStandin } from '../../src/sandbox/ami.ts';
import { type RunningStandin, serve } from '../../src/sandbox/kit.ts';
import { RETAILCRM_SANDBOX_KEY, type RetailcrmStandin, retailcrmStandin } from '../../src/sandbox/retailcrm.ts';
import { builtProgram, type Outcome, type Started, sdelka, startSdelka } from '../support/cli.ts';

beforeAll(async () => {
  await builtProgram();
});

const MAPPING = `calls:
  enterprises:
    - number: "0001"
      retailcrm: { url_env: RETAILCRM_API_URL, key_env: RETAILCRM_API_KEY }
      cdr: { url_env: CDR_URL, host: pbx1 }
      extensions: { "201": 24, "202": 25 }
      trunks: ["PJSIP/trunk-a"]
`;

interface Firm {
  ami: AmiStandin;
  crm: RunningStandin<RetailcrmStandin>;
  run(...args: string[]): Promise<Outcome>;
  listen(...args: string[]): Promise<Started>;
  clicks(): Record<string, unknown>[];
}

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function firm(env: Record<string, string> = {}): Promise<Firm> {
  const dir = await mkdtemp(join(tmpdir(), 'sdelka-listen-'));
  const ami = await amiStandin();
  const account = retailcrmStandin({ rps: 0, telephonyRps: 0 });
  const codes = [{ userId: 24, code: '201' }];
  account.seed({
    users: [{ id: 24 }, { id: 25 }],
    modules: { pbx: { integrations: { telephony: { additionalCodes: codes } } } },
  });
  const crm = await serve(account);
  open.push(() => rm(dir, { recursive: true, force: true }), ami.close, crm.close);
  const settings = {
    ...{ DATABASE_URL: 'sqlite:db.sqlite', DEFAULT_COUNTRY: 'RU', TIMEZONE: 'Europe/Moscow' },
    ...{ RETAILCRM_API_URL: crm.url, RETAILCRM_API_KEY: RETAILCRM_SANDBOX_KEY },
    ...{ ASTERISK_AMI_HOST: '127.0.0.1', ASTERISK_AMI_PORT: String(ami.port), ASTERISK_AMI_USER: AMI_SANDBOX_USER },
    ...{ ASTERISK_AMI_SECRET: AMI_SANDBOX_SECRET, ...env },
  };
  await writeFile(
    join(dir, '.env'),
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  await writeFile(join(dir, 'mapping.yaml'), MAPPING);
  const given = { cwd: dir };
  expect(await sdelka(['migrate'], given)).toMatchObject({ code: 0 });
  return {
    ...{ ami, crm },
    run: (...args) => sdelka(args, given),
    listen: async (...args) => {
      const started = await startSdelka([...args, 'retail:listen'], given);
      open.push(async () => started.child.kill('SIGKILL'));
      const early = started.done.then(({ stderr }) => {
        throw new Error(`ended early: ${stderr}`);
      });
      await Promise.race([until(() => ami.sessions() === 1), early]);
      early.catch(() => undefined);
      return started;
    },
    clicks: () => {
      const database = new Sqlite(join(dir, 'db.sqlite'), { readonly: true });
      const rows = database.prepare('SELECT * FROM call_clicks').all() as Record<string, unknown>[];
      database.close();
      return rows;
    },
  };
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${isSo}`);
    await delay(10);
  }
}

const told = ({ crm }: Firm) =>
  crm.standin
    .events()
    .map(({ type, phone, codes, hangupStatus }) =>
      [type, phone, String(codes ?? ''), hangupStatus].filter(Boolean).join(' '),
    );

function expectDiscreet({ stdout, stderr, lines }: Outcome): void {
  for (const secret of ['9000000001', AMI_SANDBOX_SECRET, RETAILCRM_SANDBOX_KEY])
    expect(stdout + stderr).not.toContain(secret);
  expect(lines.filter((line) => 'notJson' in line)).toEqual([]);
}

test('calls of every kind arrive at RetailCRM at once, over a restart of Asterisk; a second listener does not run', async () => {
  const one = await firm();
  const { child, done } = await one.listen();
  const call = one.ami.begin('in-answered', { phone: '89000000001' });
  const rang = Date.now();
  await until(() => told(one).length === 1);
  expect(Date.now() - rang).toBeLessThan(1000);
  expect(told(one)).toEqual(['in +79000000001 201,202']);
  call.finish();
  await until(() => told(one).length === 2);
  expect(one.crm.standin.events()[1]).toMatchObject({
    ...{ type: 'hangup', hangupStatus: 'answered', codes: ['202', '201'], externalPhone: '74950000000' },
    callExternalId: `pbx1:${call.linkedid}`,
  });

  const second = await one.run('retail:listen');
  expect(second).toMatchObject({ code: 0 });
  expect(second.lines.map(({ msg }) => msg)).toContain('skipped: locked');

  one.ami.begin('in-answered', { phone: '79000000002' });
  await one.ami.restart();
  await until(() => one.ami.sessions() === 1);
  one.ami.play('in-missed-group');
  one.ami.play('out-busy');
  one.ami.play('internal');
  one.ami.play('in-anonymous');
  await until(() => told(one).length >= 6);
  // The two calls go their own ways; each of them in its order.
  expect(
    told(one)
      .slice(2)
      .filter((line) => !line.startsWith('in +79000000002'))
      .sort(),
  ).toEqual([
    'hangup +79000000001 201 busy',
    'hangup +79000000001 201,202 no answered',
    'in +79000000001 201,202',
    'out +79000000001 201',
  ]);

  child.kill('SIGTERM');
  const outcome = await done;
  expect(outcome).toMatchObject({ code: 143, stdout: '' });
  expectDiscreet(outcome);
  const unknown = outcome.lines.filter(({ extensions }) => extensions !== undefined);
  expect(unknown).toEqual([
    expect.objectContaining({ level: 40, extensions: ['202'], hint: expect.stringContaining('retail:register') }),
  ]);
});

test('events that RetailCRM does not take are given up, told once, and later ones are sent', async () => {
  const one = await firm();
  one.crm.fault({ match: '/telephony/call/event', kind: 'status', status: 500, times: 3 });
  const { child, done } = await one.listen();
  one.ami.play('out-answered', { phone: '79000000003' });
  await until(() => one.crm.journal.length >= 2);
  one.ami.play('in-missed-group');
  await until(() => told(one).includes('hangup +79000000001 201,202 no answered'));
  child.kill('SIGINT');
  const outcome = await done;
  expect(outcome.code).toBe(130);
  expect(outcome.lines.filter(({ msg }) => msg === 'a call event was not delivered')).toHaveLength(1);
  expect(outcome.lines.map(({ msg }) => msg)).toContain('RetailCRM takes call events again');
});

test('a dry run prints what it would send; a wrong secret is 77', async () => {
  const one = await firm();
  const { child, done } = await one.listen('--dry-run');
  one.ami.play('in-missed-group');
  await delay(500);
  child.kill('SIGTERM');
  const outcome = await done;
  expectDiscreet(outcome);
  expect(
    outcome.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event),
  ).toEqual(['in', 'hangup']);
  expect(one.crm.journal).toEqual([]);
  one.ami.configure({ secret: 'another-secret' });
  expect(await one.run('retail:listen')).toMatchObject({ code: 77 });
});

test('retail:call rings, is kept, and refuses the same click again; nothing hostile is sent', async () => {
  const one = await firm();
  const originated = () => one.ami.actions().filter(({ Action }) => Action === 'Originate');
  const dry = await one.run('--dry-run', '--json', 'retail:call', '+79000000001', '--code', '201');
  expect(JSON.parse(dry.stdout)).toMatchObject({ dry_run: true, status: 'would call', phone: '+7********01' });
  for (const [phone, code] of [
    ['+79000000001\r\nAction: Logoff', '201'],
    ['+79000000001', '201\r\nChannel: Local/9'],
  ]) {
    expect(await one.run('retail:call', phone ?? '', '--code', code ?? '')).toMatchObject({ code: 64, stdout: '' });
  }
  expect([...one.ami.actions(), ...one.clicks()]).toEqual([]);

  const first = await one.run('--json', 'retail:call', '89000000001', '--code', '201', '--wait');
  expectDiscreet(first);
  const result = JSON.parse(first.stdout);
  expect(result).toMatchObject({ enterprise: '0001', extension: '201', phone: '+7********01', status: 'answered' });
  expect(originated()).toEqual([
    expect.objectContaining({ ChannelId: result.call_id, Account: result.call_id, Exten: '79000000001' }),
  ]);
  expect(one.clicks()).toEqual([
    expect.objectContaining({ id: result.call_id, phone: '+79000000001', outcome: 'answered' }),
  ]);
  const again = await one.run('--json', 'retail:call', '+79000000001', '--code', '201');
  expect(JSON.parse(again.stdout)).toMatchObject({ call_id: null, status: 'already ringing' });
  expect(originated()).toHaveLength(1);

  one.ami.configure({ originate: 'no-answer' });
  const missed = await one.run('--json', 'retail:call', '+79000000001', '--code', '202', '--wait');
  expect([missed.code, JSON.parse(missed.stdout).status]).toEqual([1, 'no answer']);
  one.ami.configure({ write: [] });
  expect(await one.run('retail:call', '+79000000004', '--code', '201')).toMatchObject({ code: 77 });
  // Nothing rang, so that the same click is none of an impatient finger.
  one.ami.configure({ write: ['originate'], originate: 'answered' });
  const repeated = await one.run('--json', 'retail:call', '+79000000004', '--code', '201');
  expect(JSON.parse(repeated.stdout)).toMatchObject({ status: 'queued' });
  expect(one.clicks().map(({ outcome }) => outcome)).toEqual(['answered', 'no answer', 'REMOTE_FORBIDDEN', 'queued']);
});
