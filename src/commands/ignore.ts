import { usageError } from '../base/errors.ts';
import { cleanText } from '../base/redact.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import type { SetAside } from '../state/retries.ts';
import { defineCommand, text } from './define.ts';
import { changeState } from './open-state.ts';

export const ignoreCommand = defineCommand({
  name: 'ignore',
  summary: 'Sets a failed record aside for good',
  details: 'It leaves the backlog and is tried no more; `failed --ignored` lists it, `retry` revives it.',
  arguments: [{ name: 'id', description: 'the id that `sdelka failed` lists' }],
  options: { why: { value: 'TEXT', description: 'the reason, for whoever asks later', parse: text } },
  examples: ['ignore 7 --why "the buyer called it off"'],
  quiet: true,
  run: async (ctx, args, { why }) => {
    if (why === undefined) throw usageError('--why is missing', 'Say in a few words why it is set aside.');
    const { parseIds, refsOf } = await import('./failed-ids.ts');
    const ids = parseIds(args);
    // It is shown by `explain` and `failed`, so that no phone may stand in it.
    const reason = cleanText(why);
    const settings = readSettings(ctx.environment, [coreSettings]);
    const result = await changeState(ctx, settings, async (tx, write) => {
      const { ignoreRecord } = await import('../state/retries.ts');
      const [record] = await refsOf(tx, ids);
      if (record === undefined) throw usageError('An id is missing', '`sdelka failed` lists the ids.');
      const aside = await write(() => ignoreRecord(tx, record, reason, ctx.clock.now()));
      return { id: record.id, kind: record.kind, key: record.key, why: reason, ...aside };
    });
    const { dryRun } = ctx.globals;
    await ctx.out.result({ ...(dryRun ? { dry_run: true } : {}), ...result }, () => render(result, dryRun));
    return undefined;
  },
});

type Result = { id: number; kind: string; key: string } & Partial<SetAside>;

function render({ id, kind, key, effects = 0, underWay = 0, waiting = [] }: Result, dryRun: boolean): string {
  if (dryRun) return `${id}: ${kind} ${key} would be set aside; nothing was changed`;
  return [
    `${id}: ${kind} ${key} is set aside, with ${effects} of its effects; \`sdelka retry ${id}\` revives it`,
    ...(underWay > 0 ? [`${underWay} of its effects are on their way or in doubt and are settled all the same`] : []),
    ...waiting.map((other) => `${other.kind} ${other.key} waits for it and will go on waiting`),
  ].join('\n');
}
