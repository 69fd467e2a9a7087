import { usageError } from '../base/errors.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import type { RecordRef } from '../domain/effect.ts';
import { defineCommand, text } from './define.ts';
import { changeState } from './open-state.ts';

interface Retried extends RecordRef {
  id: number;
  job: string;
  /** Effects that are due with it. */
  effects: number;
}

export const retryCommand = defineCommand({
  name: 'retry',
  summary: 'Queues failed records again at once',
  details: 'The next pass of their job takes them. A record that was set aside by ignore lives again.',
  arguments: [{ name: 'id', description: 'ids that `sdelka failed` lists', required: false, variadic: true }],
  options: {
    all: { description: 'every failed record that was not set aside' },
    kind: { value: 'K', description: 'with --all: only of this kind', parse: text },
  },
  examples: ['retry 7', 'retry 7 12', 'retry --all', 'retry --all --kind kaspi-order'],
  quiet: true,
  run: async (ctx, args, { all, kind }) => {
    if (all === args.length > 0) {
      throw usageError('Expected ids, or --all, and not both', '`sdelka failed` lists the ids.');
    }
    if (kind !== undefined && !all) throw usageError('--kind goes with --all');
    const { parseIds, refsOf } = await import('./failed-ids.ts');
    const ids = parseIds(args);
    const settings = readSettings(ctx.environment, [coreSettings]);
    const retried = await changeState(ctx, settings, async (tx, write) => {
      const { failedRefs, reviveRecord } = await import('../state/retries.ts');
      const refs = all ? await failedRefs(tx, 'all', kind) : await refsOf(tx, ids);
      const done: Retried[] = [];
      for (const { ignored: _, ...ref } of refs) {
        const effects = await write(() => reviveRecord(tx, { ...ref, ignored: false }, ctx.clock.now()));
        done.push({ ...ref, effects: effects ?? 0 });
      }
      return done;
    });
    const { dryRun } = ctx.globals;
    await ctx.out.result({ ...(dryRun ? { dry_run: true } : {}), retried }, () => render(retried, dryRun));
    return undefined;
  },
});

function render(retried: readonly Retried[], dryRun: boolean): string {
  if (retried.length === 0) return 'nothing fails, so there is nothing to try again';
  return retried
    .map(({ id, kind, key, job, effects }) =>
      dryRun
        ? `${id}: ${kind} ${key} would be due at once; nothing was changed`
        : `${id}: ${kind} ${key} is due now, with ${effects} of its effects; the next pass of ${job} takes it`,
    )
    .join('\n');
}
