import { dirname, join } from 'node:path';
import { configError } from '../base/errors.ts';
import type { Environment } from '../config/env.ts';
import { coreSettings, readSettings } from '../config/settings.ts';
import { type CommandContext, type CommandEntry, defineCommand } from './define.ts';
import { configured, intervalOf } from './job-settings.ts';

const MINUTE_MS = 60_000;
const HOUR_MINUTES = 60;
const DAY_HOURS = 24;
/** When a daily job runs: hosts are idle then, and no clock change anywhere near here falls on it. */
const DAILY_AT = '30 4';

interface Line {
  job: string;
  schedule: string;
  command: string;
  /** Where cron cannot keep the interval that was asked for. */
  note?: string;
}

interface Plan {
  lines: Line[];
  /** Jobs whose settings are missing or wrong, with the faults. */
  left: { job: string; faults: readonly string[] }[];
  /** Whether any job is there that the others could watch over. */
  hasStream: boolean;
}

export const crontabCommand = defineCommand({
  name: 'crontab',
  summary: 'Prints the crontab for the jobs that are configured',
  details: 'Intervals come from <JOB>_EVERY, e.g. KASPI_POLL_EVERY=2m. No flock is needed: jobs take their own locks.',
  options: { tick: { description: 'one line for all jobs: `tick` runs in turn those that are due' } },
  examples: ['crontab', 'crontab --tick', '--env-file /srv/shop/.env crontab', 'crontab --json'],
  quiet: true,
  run: async (ctx, _args, { tick }) => {
    const plan = await planLines(ctx, tick);
    if (!plan.hasStream) {
      throw configError(
        'NOTHING_CONFIGURED',
        'No job is configured, so there is nothing for cron to run',
        'Give the settings of at least one job; .env.example explains every variable.',
        plan.left.flatMap(({ job, faults }) => faults.map((fault) => `${job}: ${fault}`)),
      );
    }
    if (ctx.globals.json) {
      await ctx.out.result({ lines: plan.lines, left: plan.left });
    } else {
      ctx.out.line(crontabText(plan, logFile(ctx.environment)));
    }
    return undefined;
  },
});

async function planLines(ctx: CommandContext, tick: boolean): Promise<Plan> {
  const settings = readSettings(ctx.environment, [coreSettings]);
  const plan: Plan = { lines: [], left: [], hasStream: false };
  const intervals: number[] = [];
  for (const entry of ctx.entries.filter(({ isJob }) => isJob)) {
    const every = intervalOf(settings, entry.name);
    const { faults } = await configured(entry, ctx.environment);
    if (faults.length > 0) {
      plan.left.push({ job: entry.name, faults });
    } else if (every !== undefined) {
      intervals.push(every);
      plan.hasStream ||= !(await needsNothing(entry));
      plan.lines.push({ job: entry.name, ...cronSchedule(every), command: shellCommand(ctx, entry.name) });
    }
  }
  return tick && intervals.length > 0 ? { ...plan, lines: [tickLine(ctx, intervals)] } : plan;
}

/** A job that runs with no settings at all only watches over the others; alone it is nothing to run. */
async function needsNothing(entry: CommandEntry): Promise<boolean> {
  return (await configured(entry, { values: {}, baseDir: '/' })).faults.length === 0;
}

/** As often as the most frequent job; the others are left to `tick`, which keeps intervals that cron cannot. */
function tickLine(ctx: CommandContext, intervals: readonly number[]): Line {
  return { job: 'tick', schedule: cronSchedule(Math.min(...intervals)).schedule, command: shellCommand(ctx, 'tick') };
}

/**
 * The five fields of crontab(5) for an interval in milliseconds. Cron starts anew with each hour and each day, so that only
 * divisors of 60 minutes and of 24 hours are even; anything else becomes the next shorter one, and the note says so.
 */
export function cronSchedule(everyMs: number): { schedule: string; note?: string } {
  const minutes = Math.max(1, Math.floor(everyMs / MINUTE_MS));
  const [schedule, keptMinutes] = fieldsFor(minutes);
  return keptMinutes * MINUTE_MS === everyMs
    ? { schedule }
    : { schedule, note: `cron cannot keep the interval that was asked for; this is every ${spoken(keptMinutes)}` };
}

function fieldsFor(minutes: number): [string, number] {
  if (minutes < HOUR_MINUTES) {
    const step = largestDivisor(HOUR_MINUTES, minutes);
    return [`${stepField(step)} * * * *`, step];
  }
  const hours = Math.floor(minutes / HOUR_MINUTES);
  if (hours < DAY_HOURS) {
    const step = largestDivisor(DAY_HOURS, hours);
    return [`0 ${stepField(step)} * * *`, step * HOUR_MINUTES];
  }
  return [`${DAILY_AT} * * *`, DAY_HOURS * HOUR_MINUTES];
}

function largestDivisor(whole: number, most: number): number {
  let divisor = Math.min(most, whole);
  while (whole % divisor !== 0) {
    divisor--;
  }
  return divisor;
}

function stepField(step: number): string {
  return step === 1 ? '*' : `*/${step}`;
}

function spoken(minutes: number): string {
  return minutes % HOUR_MINUTES === 0 ? `${minutes / HOUR_MINUTES} h` : `${minutes} min`;
}

/** Cron has its own PATH and starts in the home folder; hence whole paths everywhere. */
function shellCommand({ self, environment, globals }: CommandContext, job: string): string {
  const named = environment.values.MAPPING_FILE === undefined ? globals.mappingFile : undefined;
  const words = [
    self.node,
    // Node.js 20 takes a later --env-file for its own, and stops with a message of its own where the file is missing.
    '--',
    self.script,
    ...(environment.file === undefined ? [] : ['--env-file', environment.file]),
    ...(named === undefined ? [] : ['--mapping', named]),
    job,
  ];
  const from = environment.file === undefined ? `cd ${quoted(environment.baseDir)} && ` : '';
  return `${from}${words.map(quoted).join(' ')} >> ${quoted(logFile(environment))} 2>&1`;
}

function logFile(environment: Environment): string {
  return join(environment.baseDir, 'logs', 'sdelka.log');
}

/** One word of a shell command. */
function quoted(word: string): string {
  return /^[\w@+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function crontabText({ lines, left }: Plan, log: string): string {
  return [
    '# Add these lines with `crontab -e`. The folder of the log must exist:',
    `#   mkdir -p ${quoted(dirname(log))}`,
    ...lines.flatMap(({ job, schedule, command, note }) => [
      ...(note === undefined ? [] : [`# ${job}: ${note}`]),
      // Cron ends the command at a bare % and gives it what follows as input (crontab(5)).
      `${schedule} ${command.replaceAll('%', '\\%')}`,
    ]),
    ...left.map(({ job, faults }) => `# ${job} is left out: ${faults.map((fault) => fault.split(':')[0]).join(', ')}`),
  ].join('\n');
}
