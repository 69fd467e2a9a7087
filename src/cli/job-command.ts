import { ExitCode, usageError } from '../base/errors.ts';
import { cleanValue } from '../base/redact.ts';
import { type Command, type CommandContext, defineCommand, names } from '../commands/define.ts';
import { lookback } from '../config/lookback.ts';
import type { Audit } from '../domain/audit.ts';
import type { AnyJob } from '../jobs/define.ts';
import { type PassPlan, planPass } from '../runner/dry-run.ts';
import type { PassResult } from '../runner/job.ts';
import { runJob } from '../runner/run-job.ts';
import { keepHeapSmall } from './heap.ts';
import { fixedSettingsOf, settingsOf } from './streams.ts';
import { wireJob } from './wire.ts';

/** A job as a command: one pass, or with `--dry-run` its plan. */
export function jobCommand(job: AnyJob): Command {
  return defineCommand({
    name: job.name,
    summary: job.summary,
    details:
      'Takes its lock, does one pass and exits. Another run that holds the lock is no failure: this one ends at once.',
    options: {
      lookback: {
        value: 'depth',
        description: `how far back to look whatever the cursor says: 0 = since 00:00, N days, 90m, 6h, 3d${job.lookback ? ` (${job.lookback})` : ''}`,
        parse: lookbackDepth,
      },
      confirm: { description: 'change more records than MAX_CHANGES_PER_RUN allows' },
      ...(job.only === undefined ? {} : { only: { ...job.only, parse: names } }),
      ...Object.fromEntries(Object.entries(job.flags ?? {}).map(([name, description]) => [name, { description }])),
    },
    examples: [
      job.name,
      `--dry-run ${job.name}`,
      `${job.name} --lookback 3d`,
      ...(job.only === undefined ? [] : [`--dry-run ${job.name} --only ${job.only.example}`]),
    ],
    settings: fixedSettingsOf(job),
    settingsFor: (environment, mappingFile) => settingsOf(job, environment, mappingFile),
    run: async (ctx, _args, { lookback, confirm, only, ...own }) => {
      keepHeapSmall();
      const flags = new Set(Object.entries(own).flatMap(([name, given]) => (given === true ? [name] : [])));
      if (lookback !== undefined) flags.add('lookback');
      const wired = await wireJob(ctx, job, {
        ...{ lookback, confirm, flags },
        only: Array.isArray(only) ? only : undefined,
      });
      try {
        // A plan is read by people and kept in logs: phones, e-mails and secrets are masked in every text of it.
        if (ctx.globals.dryRun) {
          const plan = cleanValue(await planPass(wired.options)) as PassPlan;
          return await showPlan(ctx, plan, wired.audit());
        }
        const pass = await runJob(wired.options);
        return await showPass(ctx, pass, wired.audit());
      } finally {
        await wired.close();
      }
    },
  });
}

/** Refused while the arguments are read, so that a slip of the finger opens no database and leaves no failed run. */
function lookbackDepth(value: string): string {
  const { expects, parse } = lookback();
  if (parse(value) === undefined) throw usageError(`expected ${expects}`);
  return value;
}

async function showPass(ctx: CommandContext, pass: PassResult, audit: Audit | undefined): Promise<ExitCode> {
  const { exit, ...shown } = pass;
  await ctx.out.result(audit ? { ...shown, audit } : shown, async () => {
    const table = await ctx.out.table(
      ['job', 'outcome', 'fetched', 'created', 'updated', 'skipped', 'failed', 'requests'],
      [[pass.job, pass.outcome, pass.fetched, pass.created, pass.updated, pass.skipped, pass.failed, pass.requests]],
    );
    return audit ? `${table}\n\n${await auditText(ctx, audit)}` : table;
  });
  return exit;
}

async function showPlan(ctx: CommandContext, plan: PassPlan, audit: Audit | undefined): Promise<ExitCode> {
  await ctx.out.result({ dry_run: true, ...plan, ...(audit ? { audit } : {}) }, () =>
    audit ? auditText(ctx, audit) : planText(plan),
  );
  return ExitCode.Ok;
}

async function auditText(ctx: CommandContext, audit: Audit): Promise<string> {
  const { AUDIT_HEAD, auditLines, auditRows } = await import('../insight/audit.ts');
  return [await ctx.out.table(AUDIT_HEAD, auditRows(audit)), '', ...auditLines(audit)].join('\n');
}

const SIGNS = { create: '+', update: '~', exists: '=' } as const;

function planText(plan: PassPlan): string {
  const lines = [
    `${plan.job}: a rehearsal, nothing is written. Records read: ${plan.fetched}, known or not concerned: ${plan.skipped}.`,
  ];
  const waiting = Object.entries(plan.waiting).map(([state, count]) => `${count} ${state}`);
  if (waiting.length > 0) lines.push(`Waiting from earlier passes: ${waiting.join(', ')}.`);
  for (const effect of plan.plan) {
    const at = effect.remoteId === undefined ? '' : ` (${effect.remoteId})`;
    lines.push(`${SIGNS[effect.action]} ${effect.kind} for ${effect.record.kind} ${effect.record.key}${at}`);
    if (effect.action === 'exists') continue;
    for (const [field, value] of Object.entries(effect.fields)) {
      lines.push(
        `    ${field}: ${typeof value === 'string' ? value.replaceAll('\n', '\n      ') : JSON.stringify(value)}`,
      );
    }
  }
  for (const { record, reason } of plan.problems) lines.push(`! ${record.kind} ${record.key}: ${reason}`);
  if (plan.plan.length + plan.problems.length === 0) lines.push('Nothing to do.');
  return lines.join('\n');
}
