import { configError } from '../base/errors.ts';
import type { Environment } from './env.ts';
import { lookback } from './lookback.ts';
import {
  boolean,
  country,
  databaseUrl,
  duration,
  integer,
  oneOf,
  optional,
  presence,
  secret,
  text,
  url,
  type Variable,
  withDefault,
  zone,
} from './variables.ts';

/** Variables that belong together, keyed by their own names, and the rules between them. */
export interface Group<T> {
  readonly variables: { readonly [Name in keyof T]: Variable<T[Name]> };
  /** Faults that only several variables together show, each beginning with a variable's name. */
  check(given: (name: keyof T & string) => boolean): readonly string[];
}

/** Any group, whatever it holds. */
export interface AnyGroup {
  readonly variables: Readonly<Record<string, Variable<unknown>>>;
  check(given: (name: string) => boolean): readonly string[];
}

export type SettingsOf<G> = G extends Group<infer T> ? Readonly<T> : never;

type Merged<Groups extends readonly unknown[]> = Groups extends readonly [infer First, ...infer Rest]
  ? SettingsOf<First> & Merged<Rest>
  : unknown;

export function defineGroup<T>(variables: Group<T>['variables'], check: Group<T>['check'] = () => []): Group<T> {
  return { variables, check };
}

/**
 * The typed settings of all these groups together. Throws one configError (78, `SETTINGS_INVALID`) whose `faults` name
 * every missing or wrong variable and what is expected of it, never what it holds.
 */
export function readSettings<const Groups extends readonly AnyGroup[]>(
  environment: Environment,
  groups: Groups,
): Merged<Groups> {
  const settings: Record<string, unknown> = {};
  const faults: string[] = [];
  for (const group of groups) {
    for (const [name, variable] of Object.entries(group.variables)) {
      const reading = variable.read(environment.values[name]);
      if ('fault' in reading) {
        faults.push(`${name}: ${reading.fault}`);
      } else {
        settings[name] = reading.value;
      }
    }
    faults.push(...group.check((name) => environment.values[name] !== undefined));
  }
  if (faults.length > 0) {
    throw settingsInvalid(environment, faults);
  }
  return settings as Merged<Groups>;
}

/** The texts that must never be printed: every secret of these groups that is set, and the database's password. */
export function secretTexts(environment: Environment, groups: readonly AnyGroup[]): readonly string[] {
  const texts = groups
    .flatMap((group) => Object.entries(group.variables))
    .filter(([, variable]) => variable.secret)
    .map(([name]) => environment.values[name]?.trim() ?? '');
  return [...new Set([...texts, ...passwordsIn(environment.values.DATABASE_URL)])].filter((found) => found !== '');
}

function passwordsIn(address: string | undefined): readonly string[] {
  const password = address !== undefined && URL.canParse(address) ? new URL(address).password : '';
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    return [password];
  }
}

function settingsInvalid(environment: Environment, faults: readonly string[]): Error {
  const where = environment.file === undefined ? 'the environment' : `${environment.file} or in the environment`;
  return configError(
    'SETTINGS_INVALID',
    faults.length === 1 ? 'A setting is missing or wrong' : `${faults.length} settings are missing or wrong`,
    `Correct what is listed in ${where} and run the command again; .env.example explains every variable.`,
    faults,
  );
}

/** What every command may need: the database, time, safety limits, logs, and how often and how far back jobs look. */
export const coreSettings = defineGroup({
  DATABASE_URL: withDefault('sqlite:integrator.db', databaseUrl()),
  /** Relative paths start from the env file's folder. */
  MAPPING_FILE: optional(text('the path of the mapping file')),
  TIMEZONE: withDefault('Asia/Almaty', zone()),
  DEFAULT_COUNTRY: withDefault('KZ', country()),
  LOCALE: withDefault('ru', oneOf('ru', 'en')),
  SECRET_KEY: optional(secret()),
  DRY_RUN: withDefault('false', boolean()),
  LOG_LEVEL: withDefault('info', oneOf('trace', 'debug', 'info', 'warn', 'error', 'silent')),
  /** Absent: readable where stderr is a terminal. */
  LOG_PRETTY: optional(boolean()),
  NO_COLOR: optional(presence()),
  LOCK_WAIT_SECONDS: withDefault('0', integer(0, 86_400)),
  /** 0 = no limit. */
  MAX_CHANGES_PER_RUN: withDefault('500', integer(0, 1_000_000)),
  /** Absent: 60, and for 1C 300, whose writes may go on long after their answer was given up. */
  DOUBT_QUIET_SECONDS: optional(integer(0, 86_400)),
  OUTBOX_KEEP_DAYS: withDefault('30', integer(1, 3650)),
  /** Absent: each system's own default. */
  HTTP_TIMEOUT_MS: optional(integer(100, 600_000)),
  HEARTBEAT_URL: optional(url()),
  ALERT_FAIL_STREAK: withDefault('3', integer(1, 1000)),
  ALERT_BACKLOG_THRESHOLD: withDefault('25', integer(1, 1_000_000)),
  ALERT_HEARTBEAT_MINUTES: withDefault('5', integer(1, 100_000)),
  KASPI_POLL_LOOKBACK: withDefault('1', lookback()),
  KASPI_RECONCILE_LOOKBACK: withDefault('3', lookback()),
  ONEC_EXPORT_LOOKBACK: withDefault('0', lookback()),
  ONEC_IMPORT_LOOKBACK: withDefault('0', lookback()),
  RETAIL_CALLS_LOOKBACK: withDefault('1', lookback()),
  /** How far back the first pass reads; from then on the history is read from the last entry seen. */
  RETAIL_HISTORY_LOOKBACK: withDefault('30', lookback()),
  AUDIT_LOOKBACK: withDefault('2', lookback()),
  /** `<JOB>_EVERY` is the usual interval of a job, in milliseconds. */
  KASPI_POLL_EVERY: withDefault('1m', duration()),
  KASPI_RECONCILE_EVERY: withDefault('10m', duration()),
  ONEC_EXPORT_EVERY: withDefault('15m', duration()),
  ONEC_IMPORT_EVERY: withDefault('15m', duration()),
  RETAIL_SYNC_CALLS_EVERY: withDefault('5m', duration()),
  RETAIL_SYNC_HISTORY_EVERY: withDefault('10m', duration()),
  AMO_REFRESH_TOKEN_EVERY: withDefault('6h', duration()),
  AUDIT_EVERY: withDefault('1d', duration()),
  WATCHDOG_EVERY: withDefault('5m', duration()),
});

export type CoreSettings = SettingsOf<typeof coreSettings>;
