import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Environment } from '../config/env.ts';
import { type AnyGroup, coreSettings, readSettings } from '../config/settings.ts';
import { composeAlert, findingText } from '../insight/alert-text.ts';
import { HEALTH_KINDS, type HealthFinding, type HealthLimits, judgeHealth, RETIRED_MS } from '../insight/health.ts';
import type { AnyJob, JobEntry } from '../jobs/define.ts';
import { jobs } from '../jobs/index.ts';
import type { WatchdogClients } from '../jobs/watchdog.ts';
import {
  type AlertFinding,
  closeOldAlerts,
  closeSettledDoubts,
  countOpenAlerts,
  markTold,
  settleAlerts,
  untoldAlerts,
} from '../state/alerts.ts';
import type { Database } from '../state/database.ts';
import { type HealthFacts, healthFacts } from '../state/health-facts.ts';
import { type AlertSettings, alertChannels, alertTextOptions } from './alert-channels.ts';
import { longLivedToken } from './long-lived-token.ts';

const DAY_MS = 86_400_000;
/** Kinds that report an event: nothing clears them, and their closing is no news. */
const EVENT_KINDS = [
  'conflict',
  'deal_gone',
  'document_gone',
  'mapping',
  'onec_dropped',
  'onec_lines',
  'onec_ambiguous',
  'retail_code',
  'retail_user',
  'retail_mapping',
];
/** After so long an event that goes on is worth another word. */
const EVENT_AGE_MS = 7 * DAY_MS;
/** The watchdog does not judge itself: that is what HEARTBEAT_URL is for. */
const SELF = 'watchdog';
const ORDER_JOB = 'kaspi:poll';
const LISTENERS = ['retail:listen'];

export interface WatchOptions {
  settings: AlertSettings;
  environment: Environment;
  database: Database;
  clock: Clock;
  log: Logger;
  dryRun: boolean;
  settingsOf: (job: AnyJob) => Promise<readonly AnyGroup[]>;
}

/** The watchdog's tools put together. In a dry run nothing is kept and nothing told: what would open is logged. */
export function watchParts(options: WatchOptions): WatchdogClients {
  const { settings, environment, database, clock, log, dryRun } = options;
  const text = alertTextOptions(settings, environment);
  return {
    health: {
      check: async (now) => {
        const found = (await judge(options, now)).map((finding) => asAlert(finding, text.locale));
        if (dryRun) {
          for (const alert of found) log.info({ ...alert }, 'this alert would be open');
          return { opened: 0, closed: 0, open: found.length };
        }
        return await keep(database, found, now);
      },
    },
    alerts: {
      untold: async (channel, now) => {
        if (dryRun) return [];
        const closedAfter = new Date(now.getTime() - DAY_MS);
        return await untoldAlerts(database.db, { channel, closedAfter, eventKinds: EVENT_KINDS });
      },
      compose: (news) => composeAlert(news, text),
      told: (channel, news) => database.transaction((tx) => markTold(tx, channel, news, clock.now())),
    },
    channels: alertChannels(settings, log),
  };
}

function asAlert(finding: HealthFinding, locale: AlertSettings['LOCALE']): AlertFinding {
  return { kind: finding.kind, subject: finding.subject, message: findingText(finding, locale) };
}

function keep(database: Database, found: readonly AlertFinding[], now: Date) {
  return database.transaction(async (tx) => {
    const { opened, closed } = await settleAlerts(tx, HEALTH_KINDS, found, now);
    const settled = await closeSettledDoubts(tx, now);
    await closeOldAlerts(tx, EVENT_KINDS, new Date(now.getTime() - EVENT_AGE_MS), now);
    return { opened, closed: closed + settled, open: await countOpenAlerts(tx) };
  });
}

async function judge(options: WatchOptions, now: Date): Promise<HealthFinding[]> {
  const { settings, environment, database } = options;
  const watched = jobs.filter(({ name }) => name !== SELF);
  const facts = await healthFacts(database, {
    now,
    jobs: watched.map(({ name }) => name),
    listeners: LISTENERS,
    // One more than counts, for the newest may still be at work.
    runs: settings.ALERT_FAIL_STREAK + 1,
    orderJob: ORDER_JOB,
  });
  const retired = await retiredJobs(facts, watched, options);
  const limits: HealthLimits = {
    failStreak: settings.ALERT_FAIL_STREAK,
    backlog: settings.ALERT_BACKLOG_THRESHOLD,
    heartbeatMinutes: settings.ALERT_HEARTBEAT_MINUTES,
    everyMs: (job) => everyMs(watched, job, settings),
    isConfigured: (job) => !retired.has(job),
    longLived: longLivedToken(environment),
  };
  return judgeHealth(facts, limits);
}

function everyMs(entries: readonly JobEntry[], job: string, settings: AlertSettings): number | undefined {
  const entry = entries.find(({ name }) => name === job);
  return entry === undefined ? undefined : settings[entry.every];
}

/** Jobs that have not run for long and whose settings are not complete any more; only these few are loaded to look at. */
async function retiredJobs(facts: HealthFacts, entries: readonly JobEntry[], options: WatchOptions) {
  const retired = new Set<string>();
  for (const { job, runs } of facts.jobs) {
    const lastRun = Date.parse(runs[0]?.startedAt ?? '');
    const entry = entries.find(({ name }) => name === job);
    if (entry === undefined || facts.now.getTime() - lastRun <= RETIRED_MS) continue;
    const groups = await options.settingsOf(await entry.load());
    if (!isReadable(options.environment, groups)) retired.add(job);
  }
  return retired;
}

function isReadable(environment: Environment, groups: readonly AnyGroup[]): boolean {
  try {
    readSettings(environment, [coreSettings, ...groups]);
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'SETTINGS_INVALID') return false;
    throw error;
  }
}
