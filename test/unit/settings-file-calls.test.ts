import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { CommandContext } from '../../src/commands/define.ts';
import { settingsExportCommand, settingsImportCommand } from '../../src/commands/settings-file.ts';

const MAPPING = `calls:
  enterprises:
    - number: "0001"
      cdr: { host: pbx1 }
      retailcrm: { url_env: FIRM_URL, key_env: FIRM_BADGE }
      # A slip that must not let a secret out.
      asterisk: { host_env: KASPI_API_TOKEN }
`;

function contextIn(dir: string, values: Record<string, string>, results: unknown[]): CommandContext {
  const context: Pick<CommandContext, 'environment' | 'globals' | 'out'> = {
    environment: { values, baseDir: dir },
    globals: { dryRun: false, json: true, lockWaitSeconds: 0, color: false },
    out: {
      isTerminal: false,
      json: true,
      width: 80,
      result: async (value) => void results.push(value),
      line: () => undefined,
      table: async () => '',
    },
  };
  return context as CommandContext;
}

test('variables that only the mapping names travel with it; what is a secret stays, whatever its name', async () => {
  const [here, there] = [mkdtempSync(join(tmpdir(), 'sdelka-here-')), mkdtempSync(join(tmpdir(), 'sdelka-there-'))];
  const [file, results] = [join(here, 'shop.yaml'), [] as unknown[]];
  writeFileSync(join(here, 'mapping.yaml'), MAPPING);
  const values = {
    FIRM_URL: 'https://firm.retailcrm.ru',
    FIRM_BADGE: 'firm-key-0001',
    KASPI_API_TOKEN: 'kaspi-secret',
    CDR_URL: 'sqlite:master.db',
    SOMETHING_ELSE: '1',
  };
  await settingsExportCommand.run(contextIn(here, values, results), [file], { force: false });
  expect(results).toEqual([
    expect.objectContaining({
      settings: ['FIRM_URL'],
      left_out: expect.arrayContaining(['FIRM_BADGE', 'KASPI_API_TOKEN', 'CDR_URL']),
    }),
  ]);
  expect(readFileSync(file, 'utf8')).not.toMatch(/firm-key|kaspi-secret|master\.db/);

  await settingsImportCommand.run(contextIn(there, {}, results), [file], {});
  expect(readFileSync(join(there, '.env'), 'utf8')).toContain('FIRM_URL=https://firm.retailcrm.ru');
  expect(readFileSync(join(there, 'mapping.yaml'), 'utf8')).toBe(MAPPING);
  expect(results[1]).toMatchObject({
    settings: [{ name: 'FIRM_URL', from: null, to: 'https://firm.retailcrm.ru' }],
    secrets_to_set: expect.arrayContaining(['FIRM_BADGE', 'KASPI_API_TOKEN', 'CDR_URL']),
  });
});
