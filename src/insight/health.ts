import type { HealthFacts, JobFacts, OrderFlow, RunFact } from '../state/health-facts.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A heartbeat is late when more than this many intervals went by. */
const INTERVALS = 2.5;
/** How often a listener that is well says so. */
const LISTENER_BEAT_MS = MINUTE_MS;
/** A job that has not run for so long and is not configured any more was taken out of service. */
export const RETIRED_MS = 7 * DAY_MS;
/** So long after its end a pause still counts, or each short one would be told as opened and as cleared. */
const BREAKER_REST_MS = 10 * MINUTE_MS;
/** A pause further ahead was written by a clock that has been set back since. */
const LONGEST_PAUSE_MS = 60 * MINUTE_MS;
/** Even the poorest of the earlier weeks had so many orders in the hours that now had none: chance is out of the question. */
const EXPECTED_ORDERS = 6;
/** So many weeks of history at least. */
const LEAST_WEEKS = 2;
/** A pair is renewed at half its life; three quarters without a renewal means that it fails. */
const LATE_PART = 0.75;
const TOKEN_DAYS = [30, 7, 1] as const;
/** What `oddAnswer` of http/ says; a test holds the two together, for a run keeps its error's words and not its code. */
const ODD_ANSWER = 'answered something unexpected';

/** The kinds of alerts that this judgement opens and closes; other kinds belong to the jobs that report them. */
export const HEALTH_KINDS = [
  'streak',
  'drift',
  'backlog',
  'heartbeat',
  'freshness',
  'token',
  'breaker',
  'failed_old',
  'undirected',
] as const;

export type HealthFinding =
  | { kind: 'streak' | 'drift'; subject: string; failures: number; error: string | undefined }
  | { kind: 'backlog'; subject: ''; waiting: number; threshold: number }
  | { kind: 'heartbeat'; subject: string; minutes: number; lastGood: string | undefined; isListener?: true }
  | { kind: 'freshness'; subject: 'kaspi'; lastOrderAt: string; usually: number }
  | { kind: 'token'; subject: string; system: string; hoursLeft: number; renewable: boolean }
  | { kind: 'breaker'; subject: string; until: string }
  | { kind: 'failed_old' | 'undirected'; subject: string; count: number; example: string };

export interface HealthLimits {
  /** Failed passes in a row. */
  failStreak: number;
  /** Records waiting. */
  backlog: number;
  /** Least age of a heartbeat that is called late. */
  heartbeatMinutes: number;
  /** The usual interval of a job; undefined where it has none. */
  everyMs(job: string): number | undefined;
  /** Whether the settings still ask for the job. */
  isConfigured(job: string): boolean;
  /** End of a token that cannot be renewed. */
  longLived: { system: string; expiresAt: Date } | undefined;
}

/** What is wrong now. Pure: the same facts and limits give the same findings. */
export function judgeHealth(facts: HealthFacts, limits: HealthLimits): HealthFinding[] {
  return [
    ...facts.jobs.flatMap((job) => [...streakOf(job, limits.failStreak), ...heartbeatOf(job, limits, facts.now)]),
    ...listenersOf(facts, limits),
    ...backlogOf(facts.backlog, limits.backlog),
    ...freshnessOf(facts.orders),
    ...tokensOf(facts, limits),
    ...breakersOf(facts),
    ...facts.oldFailures.map(({ recordKind, count, example }) => ({
      kind: 'failed_old' as const,
      subject: recordKind,
      count,
      example,
    })),
    ...facts.undirected.map(({ enterprise, count, example }) => ({
      kind: 'undirected' as const,
      subject: enterprise,
      count,
      example,
    })),
  ];
}

/** The newest pass without an end may be at work; an older one was killed. */
function streakOf({ job, runs }: JobFacts, limit: number): HealthFinding[] {
  const ended = runs.filter((run, index) => index > 0 || run.outcome !== undefined);
  const wellAt = ended.findIndex((run) => !hasFailed(run));
  const failed = wellAt < 0 ? ended : ended.slice(0, wellAt);
  if (failed.length < limit) return [];
  const error = failed.find((run) => run.error !== null)?.error ?? undefined;
  const finding = { subject: job, failures: failed.length, error };
  const isDrift = failed.every((run) => run.error?.includes(ODD_ANSWER));
  return [{ kind: 'streak', ...finding }, ...(isDrift ? [{ kind: 'drift' as const, ...finding }] : [])];
}

function hasFailed({ outcome, exitCode }: RunFact): boolean {
  return outcome === undefined || outcome === 'failed' || (exitCode !== 0 && exitCode !== 1);
}

function heartbeatOf(facts: JobFacts, limits: HealthLimits, now: Date): HealthFinding[] {
  const { job, quietSince, progressAt, heartbeatAt, runs } = facts;
  const everyMs = limits.everyMs(job);
  if (everyMs === undefined) return [];
  const allowedMs = Math.max(limits.heartbeatMinutes * MINUTE_MS, INTERVALS * everyMs);
  const aliveMs = Math.max(Date.parse(quietSince), progressAt === undefined ? 0 : Date.parse(progressAt));
  const ageMs = now.getTime() - aliveMs;
  if (ageMs <= allowedMs) return [];
  const lastRunMs = Date.parse(runs[0]?.startedAt ?? quietSince);
  if (now.getTime() - lastRunMs > Math.max(RETIRED_MS, allowedMs) && !limits.isConfigured(job)) return [];
  const minutes = Math.floor((now.getTime() - Date.parse(quietSince)) / MINUTE_MS);
  return [{ kind: 'heartbeat', subject: job, minutes, lastGood: heartbeatAt }];
}

/** One that was silent for so long as to count as taken out of service is not missed any more. */
function listenersOf({ listeners, now }: HealthFacts, { heartbeatMinutes }: HealthLimits): HealthFinding[] {
  const allowedMs = Math.max(heartbeatMinutes * MINUTE_MS, INTERVALS * LISTENER_BEAT_MS);
  return listeners.flatMap(({ name, heartbeatAt }) => {
    const ageMs = now.getTime() - Date.parse(heartbeatAt);
    if (ageMs <= allowedMs || ageMs > RETIRED_MS) return [];
    const minutes = Math.floor(ageMs / MINUTE_MS);
    return [{ kind: 'heartbeat' as const, subject: name, minutes, lastGood: heartbeatAt, isListener: true as const }];
  });
}

function backlogOf(waiting: number, threshold: number): HealthFinding[] {
  return waiting > threshold ? [{ kind: 'backlog', subject: '', waiting, threshold }] : [];
}

/**
 * Compared with the same hours of the same weekdays in earlier weeks, and only up to the last good reading: nights and days off are
 * quiet every week, and where nothing could be read, the late heartbeat says so.
 */
function freshnessOf(orders: OrderFlow | undefined): HealthFinding[] {
  const counts = orders?.weeks.filter((count) => count !== undefined) ?? [];
  if (orders === undefined || counts.length < LEAST_WEEKS) return [];
  const usually = Math.min(...counts);
  if (usually < EXPECTED_ORDERS) return [];
  return [{ kind: 'freshness', subject: 'kaspi', lastOrderAt: orders.lastOrderAt, usually }];
}

function tokensOf({ pairs, now }: HealthFacts, { longLived }: HealthLimits): HealthFinding[] {
  if (longLived !== undefined) {
    const { system, expiresAt } = longLived;
    const hoursLeft = hoursUntil(expiresAt, now);
    return levelsOf(hoursLeft).map((level) => ({
      kind: 'token',
      subject: `${system} ${level}`,
      system,
      hoursLeft,
      renewable: false,
    }));
  }
  return pairs.flatMap(({ system, issuedAt, expiresAt }) => {
    const [from, to] = [Date.parse(issuedAt), Date.parse(expiresAt)];
    if (now.getTime() < from + (to - from) * LATE_PART) return [];
    const hoursLeft = hoursUntil(new Date(to), now);
    const levels = hoursLeft > 0 ? ['late'] : ['late', 'over'];
    return levels.map((level) => ({
      kind: 'token' as const,
      subject: `${system} ${level}`,
      system,
      hoursLeft,
      renewable: true,
    }));
  });
}

/** Each step nearer to the end is an alert of its own, so that each is told; earlier steps stay open, so that none of them is told as cleared. */
function levelsOf(hoursLeft: number): string[] {
  const near = TOKEN_DAYS.filter((days) => hoursLeft <= days * 24).map((days) => `${days}d`);
  return hoursLeft <= 0 ? [...near, 'over'] : near;
}

function hoursUntil(end: Date, now: Date): number {
  return Math.floor((end.getTime() - now.getTime()) / HOUR_MS);
}

function breakersOf({ breakers, now }: HealthFacts): HealthFinding[] {
  return breakers
    .filter(({ openUntil }) => {
      const aheadMs = openUntil.getTime() - now.getTime();
      return aheadMs > -BREAKER_REST_MS && aheadMs <= LONGEST_PAUSE_MS;
    })
    .map(({ system, openUntil }) => ({ kind: 'breaker', subject: system, until: openUntil.toISOString() }));
}
