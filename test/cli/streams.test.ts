import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createOutput } from '../../src/cli/output.ts';
import { buildScript, type Outcome, startSdelka } from '../support/cli.ts';

let dir: string;
let script: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sdelka-streams-'));
  script = await buildScript('test/support/cli-fixture.ts');
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const start = (args: readonly string[], env: Record<string, string> = {}) =>
  startSdelka(args, { script, cwd: dir, env: { TMPDIR: dir, ...env } });

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return await (await start(args, env)).done;
}

/** Starts a command and sends it a signal each time that it prints something. */
async function stopped(command: string, signal: NodeJS.Signals): Promise<Outcome> {
  const { child, done } = await start([command]);
  child.stdout?.on('data', () => child.kill(signal));
  return await done;
}

describe('signals', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s lets the item in hand be finished and ends with %i', async (signal, code) => {
    const { child, done } = await start(['orderly']);
    child.stdout?.once('data', () => child.kill(signal));
    expect(await done).toMatchObject({ code, signal: null, stdout: 'ready\nfinished the item in hand\n', stderr: '' });
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('a second %s ends at once with %i', async (signal, code) => {
    expect(await stopped('stubborn', signal)).toMatchObject({ code, signal: null });
  });
});

describe('a defect ends with 70', () => {
  test('says where the report is and shows no stack trace', async () => {
    const { code, stdout, stderr, lines } = await run(['defect']);
    expect({ code, stdout }).toEqual({ code: 70, stdout: '' });
    expect(stderr).not.toMatch(/\bat .*:\d+:\d+|77011234567/);
    expect(lines).toEqual([expect.objectContaining({ level: 50, code: 'DEFECT', msg: 'This is a defect in sdelka' })]);
    const report = String(lines[0]?.report);
    expect(lines[0]?.hint).toContain(report);
    const text = readFileSync(report, 'utf8');
    expect(JSON.parse(text).error.stack).toContain('TypeError: a tripped wire');
    expect(text).not.toContain('77011234567');
    expect(statSync(report).mode & 0o777).toBe(0o600);
    expect((await run(['defect'])).lines[0]?.report).toBe(report);
  });

  test('shows the stack trace at debug', async () => {
    const { lines } = await run(['defect', '--log-level', 'debug']);
    expect(lines.at(-1)).toMatchObject({ level: 20, err: { stack: expect.stringMatching(/\n {4}at /) } });
  });

  test('a dry run writes no report', async () => {
    const before = await mkdtemp(join(dir, 'dry-'));
    const { code, lines } = await run(['defect', '--dry-run'], { TMPDIR: before });
    expect(code).toBe(70);
    expect(lines[0]).not.toHaveProperty('report');
    expect(lines[0]?.hint).toContain('--log-level debug');
    expect(readdirSync(before)).toEqual([]);
  });

  test.each([
    ['a rejection that nobody awaits', 'stray', 'nobody awaits this'],
    ['a command that never ends', 'endless', 'The command stopped without an end'],
  ])('%s', async (_case, command, message) => {
    const { code, lines } = await run([command]);
    expect(code).toBe(70);
    expect(lines).toEqual([expect.objectContaining({ error: expect.objectContaining({ message }) })]);
  });
});

test("a command's own exit code is the program's", async () => {
  expect((await run(['some-failed'])).code).toBe(1);
});

describe('stdout', () => {
  test('a result far larger than a pipe comes out whole, however late it is read', async () => {
    const { child, done } = await start(['large']);
    child.stdout?.pause();
    await new Promise((resolve) => child.stdout?.once('readable', resolve));
    child.stdout?.resume();
    const { code, stdout } = await done;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toHaveLength(40_000);
  });

  test('a reader that goes away is no failure', async () => {
    const { child, done } = await start(['large']);
    child.stdout?.destroy();
    expect(await done).toMatchObject({ code: 0, stderr: '' });
  });

  test.each([
    ['a terminal', { terminal: true, json: false }, 'name  count\na     1\nbb    22\n'],
    ['a pipe', { terminal: false, json: false }, '[{"name":"a"}]\n'],
    ['a terminal with --json', { terminal: true, json: true }, '[\n  {\n    "name": "a"\n  }\n]\n'],
    ['a pipe with --json', { terminal: false, json: true }, '[{"name":"a"}]\n'],
  ])('%s', async (_case, options, expected) => {
    const written: string[] = [];
    const out = createOutput({ ...options, writer: { write: (text) => void written.push(text) } });
    const rows = [
      ['a', 1],
      ['bb', 22],
    ];
    await out.result([{ name: 'a' }], () => out.table(['name', 'count'], rows));
    expect(written.join('')).toBe(expected);
  });
});

describe('the log', () => {
  const token = 'kaspi/token+with=signs"and\\more';

  test('holds no secret in any form, no phone and no e-mail, and every line is a record', async () => {
    await writeFile(join(dir, 'leak.env'), `KASPI_API_TOKEN='${token}'\n`);
    const { code, stdout, stderr, lines } = await run(['leak', '--env-file', 'leak.env', '--log-level', 'debug']);
    expect({ code, stdout }).toEqual({ code: 77, stdout: '' });
    const forms = [token, JSON.stringify(token).slice(1, -1), Buffer.from(token).toString('base64')];
    for (const leaked of [...forms, encodeURIComponent(token), 'read-later', 'buyer@', '1234567', '123-45-67']) {
      expect(stderr).not.toContain(leaked);
    }
    expect(lines.length).toBeGreaterThan(4);
    for (const record of lines) {
      expect(record).toMatchObject({
        level: expect.any(Number),
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        command: 'leak',
        msg: expect.any(String),
      });
    }
    expect(lines[0]).toMatchObject({ token: '[redacted]', encoded: '[redacted]', msg: '[redacted]' });
    expect(lines[1]).toMatchObject({ phone: '+7********67', later: 'Bearer [redacted]', msg: 'to 8********67' });
  });

  test.each([
    ['error', [50, 50]],
    ['silent', []],
  ])('at level %s keeps its peace', async (level, levels) => {
    const { code, lines } = await run(['leak', '--log-level', level]);
    expect(code).toBe(77);
    expect(lines.map((record) => record.level)).toEqual(levels);
  });

  test('is readable where that is asked for, advice on a line of its own', async () => {
    const { stderr } = await run(['leak', '--log-pretty', '--log-level', 'error']);
    expect(stderr).toMatch(/ERROR.*: Kaspi refused/);
    expect(stderr).toMatch(/\n {4}Call \+375\*+67\n/);
  });
});
