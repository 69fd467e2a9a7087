import type { JobContext } from '../runner/job.ts';

/** The systems that a job may touch; their settings must be present. */
export type SystemName = 'kaspi' | 'onec' | 'amocrm' | 'retailcrm' | 'pbx' | 'telegram' | 'mail';

/** A unit of work that cron runs: a value that tells what it reads, how far back, and what it may touch. */
export interface JobDefinition<Clients, Settings, Mapping> {
  name: string;
  summary: string;
  systems: readonly SystemName[];
  /** The variable that holds the look-back depth; absent for jobs that read no range. */
  lookback?:
    | 'KASPI_POLL_LOOKBACK'
    | 'KASPI_RECONCILE_LOOKBACK'
    | 'ONEC_EXPORT_LOOKBACK'
    | 'ONEC_IMPORT_LOOKBACK'
    | 'RETAIL_CALLS_LOOKBACK'
    | 'RETAIL_HISTORY_LOOKBACK'
    | 'AUDIT_LOOKBACK';
  /** Options of its own, without values: name → what it does. */
  flags?: Readonly<Record<string, string>>;
  /** Its reading has `chosen`: `--only` confines a pass to records that the operator names. What they are named by. */
  only?: { value: string; description: string; example: string };
  /** How much before the cursor is read again: more than the source's own delay and clock skew. */
  overlapMs: number;
  /** The widest range that the source takes at once. */
  sliceMs: number;
  run(context: JobContext<Clients, Settings, Mapping>): Promise<void>;
}

/** A job whose context's types only `wire.ts`, which fills it, has to know. */
export type AnyJob = JobDefinition<never, never, never>;

export function defineJob<C, S, M>(definition: JobDefinition<C, S, M>): JobDefinition<C, S, M> {
  return definition;
}

/** A line of the registry: what the help and the crontab need without loading the job. */
export interface JobEntry {
  name: string;
  summary: string;
  /** The variable that holds its usual interval. */
  every:
    | 'ONEC_EXPORT_EVERY'
    | 'ONEC_IMPORT_EVERY'
    | 'RETAIL_SYNC_CALLS_EVERY'
    | 'RETAIL_SYNC_HISTORY_EVERY'
    | 'KASPI_POLL_EVERY'
    | 'KASPI_RECONCILE_EVERY'
    | 'AMO_REFRESH_TOKEN_EVERY'
    | 'AUDIT_EVERY'
    | 'WATCHDOG_EVERY';
  load: () => Promise<AnyJob>;
}
