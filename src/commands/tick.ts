import { AppError, ExitCode } from '../base/errors.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import { type CommandContext, type CommandEntry, defineCommand, type OptionSpecs, type Output } from './define.ts';
import { type Configured, configured, intervalOf } from './job-settings.ts';
import { readState } from './open-state.ts';

/** Worst first: a stop that was asked for, a defect of ours, what only a person can mend, what the next tick may heal, what is kept and tried again. */
const WORST = [
  ExitCode.Terminated,
  ExitCode.Interrupted,
  ExitCode.Defect,
  ExitCode.Config,
  ExitCode.CredentialsRefused,
  ExitCode.Usage,
  ExitCode.Unavailable,
  ExitCode.LockWait,
  ExitCode.SomeFailed,
];

interface Ran {
  job: string;
  exit_code: ExitCode;
  /** What the job itself would have printed; null where it ended with an error. */
  result: unknown;
  error: string | null;
}

interface Summary {
  exit_code: ExitCode;
  jobs: Ran[];
  not_due: string[];
  /** Left undone because the process was asked to stop. */
  stopped_before: string[];
}

export const tickCommand = defineCommand({
  name: 'tick',
  summary: 'Runs in turn, in one process, every job that is due: one crontab line for all',
  details:
    'A job is due once in each interval of its <JOB>_EVERY, counted from midnight UTC. A job that fails does not keep back the next. The exit code is the worst: 70, 78, 77, 69, 75, 1, 0. `crontab --tick` prints the line.',
  examples: ['tick', 'tick --json', '--dry-run tick'],
  run: async (ctx) => {
    const ticker = new Ticker(ctx);
    await ticker.run();
    const summary = ticker.summary();
    await ctx.out.result(summary, () => render(summary, ctx.out));
    if (ticker.defect !== undefined) throw ticker.defect;
    return summary.exit_code;
  },
});

class Ticker {
  /** Thrown once all else is done, so that the command line keeps its report. */
  defect: unknown;
  private readonly ctx: CommandContext;
  private readonly ran: Ran[] = [];
  private readonly notDue: string[] = [];
  private readonly stoppedBefore: string[] = [];

  constructor(ctx: CommandContext) {
    this.ctx = ctx;
  }

  async run(): Promise<void> {
    const settings = readSettings(this.ctx.environment, [coreSettings]);
    for (const entry of this.ctx.entries.filter(({ isJob }) => isJob)) {
      const every = intervalOf(settings, entry.name);
      if (every === undefined) continue;
      if (this.ctx.signal.aborted) {
        this.stoppedBefore.push(entry.name);
        continue;
      }
      await this.consider(entry, every, settings.DATABASE_URL);
    }
  }

  summary(): Summary {
    const codes = new Set(this.ran.map(({ exit_code }) => exit_code));
    return {
      exit_code: WORST.find((code) => codes.has(code)) ?? ExitCode.Ok,
      jobs: this.ran,
      not_due: this.notDue,
      stopped_before: this.stoppedBefore,
    };
  }

  /** Looked at job by job and not all at once: another tick may have begun one while an earlier job of this one went on. */
  private async consider(entry: CommandEntry, every: number, databaseUrl: string): Promise<void> {
    const { name } = entry;
    const found = await configured(entry, this.ctx.environment);
    const last = await this.lastStart(name, databaseUrl);
    if (found.faults.length > 0 && found.wrong.length === 0) {
      this.leaveOut(name, found.faults, last !== undefined);
      return;
    }
    if (!isDue(last, every, this.ctx.clock.now())) {
      this.notDue.push(name);
      return;
    }
    await this.perform(name, found);
  }

  private lastStart(job: string, databaseUrl: string): Promise<string | undefined> {
    return readState(this.ctx, { DATABASE_URL: databaseUrl }, async ({ db }) => {
      const { lastStarts } = await import('../insight/last-runs.ts');
      return (await lastStarts(db, job, 1))[0];
    });
  }

  /** Nobody asked for a job that was never set up; one that ran here and lost its settings must not vanish unseen. */
  private leaveOut(job: string, faults: readonly string[], ranBefore: boolean): void {
    if (ranBefore) this.ctx.log.warn({ job, faults }, 'a job that ran here before is no longer configured');
    else this.ctx.log.debug({ job, faults }, 'not configured, so left out');
  }

  private async perform(job: string, { command }: Configured): Promise<void> {
    const log = this.ctx.log.child({ job });
    const { out, result } = collector(this.ctx.out);
    try {
      const exit = await command.run({ ...this.ctx, log, out }, [], defaultsOf(command.options ?? {}));
      this.ran.push({ job, exit_code: exit ?? ExitCode.Ok, result: result(), error: null });
    } catch (error) {
      this.ran.push({ job, result: result(), ...this.failure(error, log) });
    }
  }

  private failure(error: unknown, log: CommandContext['log']): Pick<Ran, 'exit_code' | 'error'> {
    if (error instanceof AppError && error.kind !== 'bug') {
      const { code, exit, hint, faults, message } = error;
      log.error({ code, exit, ...(hint && { hint }), ...(faults.length > 0 && { faults }) }, message);
      return { exit_code: exit, error: message };
    }
    this.defect ??= error;
    log.error({ exit: ExitCode.Defect }, 'a job ended with a defect; the next one goes on');
    return { exit_code: ExitCode.Defect, error: 'a defect in sdelka' };
  }
}

/**
 * Whether a job has not yet begun in the present interval. Intervals are counted from 1970, as cron counts its own from the full
 * hour: a tick that comes a moment early or late, or waits for the jobs before, neither drops a turn nor lets them drift.
 */
export function isDue(lastStart: string | undefined, everyMs: number, now: Date): boolean {
  if (lastStart === undefined) return true;
  return Math.floor(Date.parse(lastStart) / everyMs) !== Math.floor(now.getTime() / everyMs);
}

/** What the job would get with no options given. */
function defaultsOf(specs: OptionSpecs): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(specs).map(([name, spec]) => [name, 'parse' in spec ? spec.fallback : false]),
  );
}

/** Keeps what a job says, for stdout gets one document from the whole tick. */
function collector(out: Output): { out: Output; result: () => unknown } {
  let kept: unknown = null;
  return {
    out: {
      ...out,
      isTerminal: false,
      result: async (value) => {
        kept = value;
      },
      line: () => undefined,
    },
    result: () => kept,
  };
}

async function render({ jobs, not_due, stopped_before }: Summary, out: Output): Promise<string> {
  const lines =
    jobs.length === 0 ? ['nothing was due'] : [await out.table(['job', 'exit', 'what came of it'], jobs.map(row))];
  if (not_due.length > 0) lines.push(`not due: ${not_due.join(', ')}`);
  if (stopped_before.length > 0) lines.push(`stopped before: ${stopped_before.join(', ')}`);
  return lines.join('\n');
}

function row({ job, exit_code, result, error }: Ran): [string, number, string] {
  if (error !== null) return [job, exit_code, error];
  const figures = Object.entries((result ?? {}) as Record<string, unknown>)
    .filter(([, value]) => typeof value === 'number' && value !== 0)
    .map(([name, value]) => `${value} ${name}`);
  return [job, exit_code, figures.join(', ') || 'nothing to do'];
}
