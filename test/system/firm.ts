import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { type CallsFirm, callsFirm, callsMapping, type FirmOptions } from '../support/calls-world.ts';
import { type Outcome, sdelka } from '../support/cli.ts';

const HOUR_MS = 3_600_000;
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A firm whose operator runs the built program in a folder of its own. */
export interface OperatedFirm extends CallsFirm {
  folder: string;
  /** Runs the program; fails the test for another exit code than 0, or where it shows a phone or a password. */
  run(args: readonly string[], env?: Record<string, string>): Promise<Outcome>;
}

/** Settings file, mapping and an empty database are there; all calls of the script are long over. */
export async function operatedFirm(options: FirmOptions, settings: Record<string, string> = {}): Promise<OperatedFirm> {
  const to = Date.now() - HOUR_MS;
  const firm = await callsFirm({ ...options, cdr: { from: to - 20 * HOUR_MS, to, ...options.cdr } });
  const folder = mkdtempSync(join(tmpdir(), 'sdelka-system-firm-'));
  folders.push(folder);
  const env = {
    DATABASE_URL: 'sqlite:sdelka.db',
    DEFAULT_COUNTRY: 'RU',
    TIMEZONE: 'Europe/Moscow',
    ...firm.env,
    ...settings,
  };
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(folder, '.env'), lines.join(''), { mode: 0o600 });
  writeFileSync(join(folder, 'mapping.yaml'), callsMapping([firm]));
  const hidden = [...firm.script.truth.flatMap(({ phone }) => phone ?? []), firm.env.RETAILCRM_API_KEY ?? ''];
  const run: OperatedFirm['run'] = async (args, own = {}) => {
    const outcome = await sdelka(args, { cwd: folder, env: own });
    expect(outcome, `${args.join(' ')}: ${outcome.stderr}`).toMatchObject({ code: 0 });
    for (const text of hidden) expect(outcome.stderr).not.toContain(text);
    return outcome;
  };
  await run(['migrate']);
  return { ...firm, folder, run };
}
