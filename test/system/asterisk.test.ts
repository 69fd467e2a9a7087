import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Secret } from '../../src/base/secret.ts';
import type { CdrRow } from '../../src/domain/call.ts';
import { openCdr } from '../../src/systems/asterisk/cdr/index.ts';
import { operatedFirm } from './firm.ts';

const { env } = process;
const MINUTE_MS = 60_000;
/** The client hangs up three seconds after the click; the record is written when both legs are gone. */
const WRITTEN_MS = 30_000;

/** The rows of a click, as soon as the PBX has written one. */
async function rowsOf(id: string): Promise<CdrRow[]> {
  const url = new Secret(`csv:${env.SDELKA_ASTERISK_CSV}`);
  const place = { url, baseDir: '/', host: 'pbx1', table: 'cdr', zone: 'UTC', signal: new AbortController().signal };
  for (const end = Date.now() + WRITTEN_MS; ; await delay(500)) {
    try {
      const source = await openCdr(place);
      const rows = await source.rowsOf(id);
      expect(source.skipped).toBe(0);
      if (rows.length > 0) return rows;
    } catch (error) {
      // Asterisk makes the file with its first record.
      if (!(error instanceof Error && 'code' in error && error.code === 'CDR_MISSING')) throw error;
    }
    if (Date.now() > end) throw new Error('Asterisk wrote no record of the click');
  }
}

test('retail:call makes Asterisk ring; its own Master.csv tells of the click', async () => {
  const firm = await operatedFirm(
    { written: false, cdr: { calls: 1 } },
    {
      ASTERISK_AMI_HOST: '127.0.0.1',
      ASTERISK_AMI_PORT: env.SDELKA_ASTERISK_AMI_PORT ?? '',
      ASTERISK_AMI_USER: env.SDELKA_ASTERISK_AMI_USER ?? '',
      ASTERISK_AMI_SECRET: env.SDELKA_ASTERISK_AMI_SECRET ?? '',
    },
  );
  const clicked = Date.now();
  const { stdout } = await firm.run(['--json', 'retail:call', '+79000000001', '--code', '201', '--wait']);
  const { status, call_id: id } = JSON.parse(stdout);
  expect(status).toBe('answered');

  const rows = await rowsOf(id);
  expect(new Set(rows.map(({ linkedid }) => linkedid))).toEqual(new Set([id]));
  const [first] = rows.filter(({ uniqueid }) => uniqueid === id);
  expect(first).toMatchObject({ dst: '79000000001', disposition: 'ANSWERED' });
  expect(first?.channel).toMatch(/^Local\/201@from-internal-/);
  expect(Math.abs(Number(first?.start) - clicked)).toBeLessThan(MINUTE_MS);
});
