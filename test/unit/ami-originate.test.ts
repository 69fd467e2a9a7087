import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { AppError } from '../../src/base/errors.ts';
import { Secret } from '../../src/base/secret.ts';
import { parseTemplate, type Template } from '../../src/base/template.ts';
import { AMI_SANDBOX_SECRET, AMI_SANDBOX_USER, type AmiStandin, amiStandin } from '../../src/sandbox/ami.ts';
import { connectAmi } from '../../src/systems/asterisk/ami.ts';
import {
  type DialRules,
  type Origination,
  originateByAmi,
  originationOf,
  type RingOutcome,
  ringOutcome,
} from '../../src/systems/asterisk/originate.ts';
import { originateBySsh } from '../../src/systems/asterisk/ssh.ts';

function template(text: string): Template {
  const read = parseTemplate(text, ['extension', 'prefix', 'digits', 'national']);
  if ('unknown' in read) throw new Error(text);
  return read;
}

const RULES: DialRules = {
  country: 'KZ',
  extensions: new Set(['201', '202']),
  internalLength: { min: 3, max: 4 },
  outboundPrefix: '',
  channel: template('Local/{extension}@from-internal'),
  context: 'from-internal',
  dial: template('{prefix}{digits}'),
  allow: ['+7', '+375'],
};
const CALL = originationOf('+77010000001', '201', RULES);

const refused = (work: () => unknown): AppError | undefined => {
  try {
    work();
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  return undefined;
};

const failure = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof AppError ? error : undefined),
  );

test.each<[string, Partial<DialRules>, Partial<Origination>]>([
  ['+7 (701) 000-00-01', {}, { phone: '+77010000001', exten: '77010000001', channel: 'Local/201@from-internal' }],
  ['87010000001', { outboundPrefix: '9' }, { phone: '+77010000001', exten: '977010000001' }],
  ['80290000001', { country: 'BY', dial: template('{national}') }, { phone: '+375290000001', exten: '80290000001' }],
  ['+79000000001', { dial: template('{prefix}{national}'), outboundPrefix: '0' }, { exten: '089000000001' }],
  ['+375290000001', { dial: template('{national}') }, { exten: '810375290000001' }],
  ['+79000000001', { country: 'BY', dial: template('{national}') }, { exten: '81079000000001' }],
  [
    '+77010000001',
    { channel: template('Local/{extension}@from-internal/n') },
    { channel: 'Local/201@from-internal/n' },
  ],
  ['+442070000001', { allow: ['+44'], dial: template('{national}') }, { exten: '810442070000001' }],
  [
    '+77010000001',
    { channel: template('PJSIP/{extension}'), context: 'crm-out' },
    { channel: 'PJSIP/201', context: 'crm-out' },
  ],
])('%s is dialled', (phone, rules, expected) => {
  expect(originationOf(phone, '201', { ...RULES, ...rules })).toMatchObject(expected);
});

test('where the mapping names no extensions, numbers of the right length count', () => {
  const rules = { ...RULES, extensions: new Set<string>() };
  expect(originationOf('+77010000001', '305', rules).channel).toBe('Local/305@from-internal');
  for (const code of ['30', '30500', '30a', '']) {
    expect(refused(() => originationOf('+77010000001', code, rules))?.exit).toBe(64);
  }
});

const HOSTILE = [
  '\r\nAction: Command',
  '\n',
  '&Local/9@x',
  ',300',
  '|1',
  '@from-trunk',
  '/201',
  ';rm',
  '$(reboot)',
  '`id`',
  "'",
  '"',
  '\\',
  '\u0000',
  '*',
  '#',
  '%0d',
  ' x',
];

test.each([
  ...HOSTILE.flatMap((end) => [`+77010000001${end}`, `${end}+77010000001`]),
  ...[
    '',
    '-77010000001',
    '101',
    '+7701',
    '+7701000000100000000000000000',
    '+44207000000',
    '+12025550123',
    '+88213000001',
  ],
  ...[
    '+78090000001',
    '88090000001',
    '+78030000001',
    '+375902000001',
    '810442070000001',
    '＋77010000001',
    '+７７０10000001',
  ],
])('the phone %j is refused as wrong usage, and not repeated', (phone) => {
  const error = refused(() => originationOf(phone, '201', RULES));
  expect(error?.exit).toBe(64);
  if (phone.length > 6) expect(`${error?.message} ${error?.hint}`).not.toContain(phone);
});

test.each([...HOSTILE.map((end) => `201${end}`), '', '203', '-201', '2O1', '201 ', ' 201'])(
  'the extension %j is refused',
  (code) => {
    expect(refused(() => originationOf('+77010000001', code, RULES))?.exit).toBe(64);
  },
);

test.each<Partial<DialRules>>([
  { context: 'from internal' },
  { context: 'x&y' },
  { channel: template('Local/{extension}@x&PJSIP/1') },
  { channel: template('{extension}') },
  { channel: template('Local/{extension}@x/n/9') },
  { dial: template('{digits},30') },
  { outboundPrefix: 'w9' },
])('a mapping that would make something dangerous is a fault of the settings: %j', (rules) => {
  expect(refused(() => originationOf('+77010000001', '201', { ...RULES, ...rules }))?.exit).toBe(78);
});

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()));
});

async function ring(ami: AmiStandin): Promise<RingOutcome> {
  let told: (outcome: RingOutcome) => void = () => undefined;
  const outcome = new Promise<RingOutcome>((resolve) => {
    told = resolve;
  });
  const connection = await connectAmi({
    ...{ host: '127.0.0.1', port: ami.port, user: AMI_SANDBOX_USER, secret: new Secret(AMI_SANDBOX_SECRET) },
    ...{ timeoutMs: 2000, signal: new AbortController().signal, events: ['call'] },
    onEvent: (event) => {
      const seen = ringOutcome(event, 'crm-0123456789ab');
      if (seen !== undefined) told(seen);
    },
  });
  await originateByAmi(connection, 'crm-0123456789ab', CALL);
  const seen = await outcome;
  connection.close();
  return seen;
}

test.each([
  ['answered', 'answered'],
  ['no-answer', 'no answer'],
  ['unreachable', 'unreachable'],
] as const)('over AMI: the manager is %s', async (originate, expected) => {
  const ami = await amiStandin({ originate });
  open.push(() => ami.close());
  expect(await ring(ami)).toBe(expected);
  expect(ami.actions().filter(({ Action }) => Action === 'Originate')).toEqual([
    {
      ...{ Action: 'Originate', ActionID: 'crm-0123456789ab', Channel: 'Local/201@from-internal', Async: 'true' },
      ...{ Context: 'from-internal', Exten: '77010000001', Priority: '1', CallerID: '77010000001' },
      ...{ Timeout: '30000', Account: 'crm-0123456789ab', ChannelId: 'crm-0123456789ab' },
    },
  ]);
});

/** An `ssh` on the PATH that writes down its arguments, one a line, and ends as told. */
async function fakeSsh(body: string): Promise<{ args: () => Promise<string[]> }> {
  const dir = await mkdtemp(join(tmpdir(), 'sdelka-ssh-'));
  await writeFile(join(dir, 'ssh'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${dir}/args'\n${body}\n`);
  await chmod(join(dir, 'ssh'), 0o755);
  const before = process.env.PATH;
  process.env.PATH = `${dir}${delimiter}${before}`;
  open.push(async () => {
    process.env.PATH = before;
    await rm(dir, { recursive: true });
  });
  return { args: async () => (await readFile(join(dir, 'args'), 'utf8')).trimEnd().split('\n') };
}

const bySsh = (target = 'pbx@pbx.example') => originateBySsh(target, CALL, new AbortController().signal);

test('over SSH: one command, its arguments apart', async () => {
  const ssh = await fakeSsh('exit 0');
  await bySsh();
  const options = ['-T', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', '--'];
  const command = "asterisk -rx 'channel originate Local/201@from-internal extension 77010000001@from-internal'";
  expect(await ssh.args()).toEqual([...options, 'pbx@pbx.example', command]);
});

test.each([
  ['echo "Permission denied (publickey)." >&2; exit 255', 77],
  ['echo "Host key verification failed." >&2; exit 255', 77],
  ['echo "ssh: connect to host pbx.example port 22: Connection timed out" >&2; exit 255', 69],
  ['exit 127', 78],
  ['echo "Unable to connect to remote asterisk (does /var/run/asterisk/asterisk.ctl exist?)"; exit 1', 69],
  ["echo \"No such command 'channel originate' (type 'core show help' for other possible commands)\"", 78],
  ['kill -9 $$', 69],
])('over SSH: %s', async (body, exit) => {
  await fakeSsh(body);
  expect(await failure(bySsh())).toMatchObject({ exit, system: 'asterisk' });
});

test('over SSH: no part of the call or target reaches a shell with signs of its own', async () => {
  const ssh = await fakeSsh('exit 0');
  const signal = new AbortController().signal;
  for (const exten of ["1'; reboot #'", '$(id)', 'a\nb', '`id`']) {
    expect((await failure(originateBySsh('pbx', { ...CALL, exten }, signal)))?.exit).toBe(70);
  }
  for (const target of ['-oProxyCommand=id', 'pbx host', 'a@-b', '$(id)']) {
    expect((await failure(originateBySsh(target, CALL, signal)))?.exit).toBe(70);
  }
  await expect(ssh.args()).rejects.toThrow();
});
