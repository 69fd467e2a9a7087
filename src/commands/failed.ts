import { cleanValue } from '../base/redact.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import { type FailedRow, failedRecords } from '../insight/failed.ts';
import { defineCommand, type Output, text } from './define.ts';
import { readState } from './open-state.ts';

const LONGEST_REASON = 90;

export const failedCommand = defineCommand({
  name: 'failed',
  summary: 'Records that keep failing, with the reason',
  details: 'They are tried again by themselves, with growing pauses. Reads the database alone; times are UTC.',
  options: {
    kind: { value: 'K', description: 'only of this kind, e.g. kaspi-order', parse: text },
    ignored: { description: 'those that were set aside by ignore' },
  },
  examples: ['failed', 'failed --kind kaspi-order --json', 'failed --ignored'],
  quiet: true,
  run: async (ctx, _args, { kind, ignored }) => {
    const settings = readSettings(ctx.environment, [coreSettings]);
    const rows = await readState(ctx, settings, (database) => failedRecords(database, { kind, ignored }));
    const records = cleanValue(rows) as FailedRow[];
    await ctx.out.result({ records }, () => render(records, ignored, ctx.out));
    return undefined;
  },
});

async function render(rows: readonly FailedRow[], ignored: boolean, out: Output): Promise<string> {
  if (rows.length === 0) return ignored ? 'nothing was set aside' : 'nothing fails';
  const last = ignored ? 'set aside because' : 'next try';
  const table = await out.table(
    ['id', 'record', 'tries', 'since', last, 'waits', 'reason'],
    rows.map((row) => [
      row.id,
      `${row.kind} ${row.key}`,
      row.attempts,
      brief(row.first_seen_at),
      ignored ? (row.ignored_why ?? '') : brief(row.next_attempt_at ?? ''),
      Object.entries(row.waiting)
        .map(([state, count]) => `${count} ${state}`)
        .join(', '),
      row.reason.length > LONGEST_REASON ? `${row.reason.slice(0, LONGEST_REASON)}…` : row.reason,
    ]),
  );
  const hint = ignored
    ? '`sdelka retry ID` revives one.'
    : '`sdelka explain KIND KEY` tells more; `sdelka retry ID` tries at once; `sdelka ignore ID --why TEXT` sets one aside.';
  return `${table}\n${hint}`;
}

function brief(instant: string): string {
  return instant.slice(0, 16).replace('T', ' ');
}
