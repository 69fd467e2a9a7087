import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { serve } from '../../src/sandbox/kit.ts';
import { RETAILCRM_SANDBOX_KEY, retailcrmStandin } from '../../src/sandbox/retailcrm.ts';
import { builtProgram, sdelka } from '../support/cli.ts';

beforeAll(async () => {
  await builtProgram();
});

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const MAPPING = `calls:
  enterprises:
    - number: "0001"
      retailcrm: { url_env: A_URL, key_env: A_KEY }
      cdr: { url_env: A_CDR, host: pbx1 }
      extensions: { "201": 24 }
    - number: "0002"
      retailcrm: { url_env: B_URL, key_env: B_KEY }
      cdr: { url_env: B_CDR, host: pbx2 }
      client_id_env: B_CLIENT
      extensions: { "201": 24 }
`;

test('an account that refuses us keeps no other from being registered, and decides the exit code', async () => {
  const cwd = await mkdtemp(join(tmpdir(), 'sdelka-register-'));
  const [first, second] = [await serve(retailcrmStandin()), await serve(retailcrmStandin())];
  open.push(() => rm(cwd, { recursive: true, force: true }), first.close, second.close);
  for (const { standin } of [first, second]) standin.seed({ users: [{ id: 24 }] });
  first.standin.configure({ apiKey: 'anotherKeyOfTheSameLength0000001' });
  const settings = {
    ...{ DATABASE_URL: 'sqlite:db.sqlite', PUBLIC_URL: 'https://pbx.example' },
    ...{ A_URL: first.url, A_KEY: RETAILCRM_SANDBOX_KEY, B_URL: second.url, B_KEY: RETAILCRM_SANDBOX_KEY },
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(join(cwd, '.env'), lines.join(''));
  await writeFile(join(cwd, 'mapping.yaml'), MAPPING);
  expect(await sdelka(['migrate'], { cwd })).toMatchObject({ code: 0 });
  const outcome = await sdelka(['--json', 'retail:register'], { cwd });
  expect(outcome.code).toBe(77);
  expect(JSON.parse(outcome.stdout)).toEqual({
    modules: [expect.objectContaining({ enterprise: '0002', was: 'new', added: ['201'] })],
  });
  expect(outcome.lines).toContainEqual(
    expect.objectContaining({ enterprise: '0001', msg: 'an enterprise was not registered' }),
  );
  expect([first.standin.module('sdelka'), second.standin.module('sdelka')]).toEqual([
    undefined,
    expect.objectContaining({ active: true }),
  ]);
  expect(outcome.stderr).not.toContain(RETAILCRM_SANDBOX_KEY);

  // An answer that is lost, and a new database that knows nothing: clicks are proved by the same id as before.
  const before = second.standin.module('sdelka');
  second.fault({ match: 'sdelka/edit', kind: 'lost' });
  await rm(join(cwd, 'db.sqlite'));
  await sdelka(['migrate'], { cwd });
  const again = await sdelka(['--json', 'retail:register', '--enterprise', '0002'], { cwd });
  expect(again).toMatchObject({ code: 0 });
  expect(second.standin.module('sdelka')).toEqual(before);
  expect(again.stdout + again.stderr).not.toContain(String(before?.clientId));
});
