import type { CommandContext } from '../commands/define.ts';
import { jobTables } from '../commands/job-tables.ts';
import { USER_AGENT } from '../commands/user-agent.ts';
import { parseLookback } from '../config/lookback.ts';
import { loadMapping } from '../config/mapping.ts';
import { type CoreSettings, coreSettings, readSettings } from '../config/settings.ts';
import type { Audit } from '../domain/audit.ts';
import { type HttpCore, httpCore } from '../http/core.ts';
import type { AnyJob, JobDefinition } from '../jobs/define.ts';
import type { PassOptions, RunOptions } from '../runner/run-job.ts';
import { bindAccount, refuseOtherAccount } from '../state/bindings.ts';
import { type Database, openDatabase } from '../state/database.ts';
import { mappingMemory } from '../state/mapping-memory.ts';
import { requireSchema } from '../state/migrate.ts';
import { type AllSettings, isWatchdog, settingsOf, streamOf, TIMEOUT_MS } from './streams.ts';

/** Before a write whose answer was lost is looked up. */
const QUIET_SECONDS = 60;
export interface JobArguments {
  lookback: string | undefined;
  /** Change however many records. */
  confirm: boolean;
  /** The job's own options that were given. */
  flags?: ReadonlySet<string>;
  /** `--only`: the records that the operator has chosen. */
  only?: readonly string[] | undefined;
}

export interface Wired {
  options: RunOptions<unknown, unknown, unknown>;
  /** What the pass found, where the job is an audit. */
  audit(): Audit | undefined;
  close(): Promise<void>;
}

/** What tests replace to cut a run short at a chosen step; the program itself never does. */
export interface Seams {
  openDatabase: typeof openDatabase;
  httpCore: typeof httpCore;
}

/** Puts a job together: settings, mapping, database, clients and effects, each only where its systems need it. */
export async function wireJob(
  ctx: Pick<CommandContext, 'environment' | 'globals' | 'log' | 'clock' | 'signal'>,
  job: AnyJob,
  given: JobArguments,
  seams: Seams = { openDatabase, httpCore },
): Promise<Wired> {
  const { environment, globals, log, clock, signal } = ctx;
  const { baseDir } = environment;
  const groups = await settingsOf(job, environment, globals.mappingFile);
  const settings = readSettings(environment, [coreSettings, ...groups]) as AllSettings;
  const database = await seams.openDatabase({ url: settings.DATABASE_URL, baseDir, readOnly: globals.dryRun });
  const core = seams.httpCore({ clock, signal, userAgent: USER_AGENT, log });
  try {
    await requireSchema(database);
    // The watchdog has no use for it, and a fault in it is what the watchdog may have to tell.
    const mapping = isWatchdog(job)
      ? undefined
      : await loadMapping({
          baseDir,
          file: globals.mappingFile,
          memory: mappingMemory(database, clock, globals.dryRun),
          // The names of another stream's part need not be loaded at each start.
          onec: job.systems.includes('onec'),
          calls: job.systems.includes('retailcrm'),
        });
    const tables = jobTables(database, clock, globals.dryRun);
    const common = { settings, environment, mapping, database, core, clock, log, signal, dryRun: globals.dryRun };
    const stream = await streamOf(job, common);
    const definition = job as unknown as JobDefinition<unknown, unknown, unknown>;
    const pass: PassOptions<unknown, unknown, unknown> = {
      job: definition,
      database,
      clients: stream.clients,
      settings,
      mapping,
      handlers: stream.handlers,
      tables,
      flags: given.flags ?? new Set(),
      ...(given.only === undefined ? {} : { only: given.only }),
      clock,
      signal,
      log,
      windowStart: (now) => {
        const text = given.lookback ?? (job.lookback === undefined ? '1' : settings[job.lookback]);
        return parseLookback(text, now, stream.zone ?? settings.TIMEZONE);
      },
    };
    const options: RunOptions<unknown, unknown, unknown> = {
      ...pass,
      zone: settings.TIMEZONE,
      lockWaitMs: globals.lockWaitSeconds * 1000,
      quietMs: (settings.DOUBT_QUIET_SECONDS ?? QUIET_SECONDS) * 1000,
      leastQuietMs: stream.leastQuietMs,
      requestMs: settings.HTTP_TIMEOUT_MS ?? TIMEOUT_MS,
      maxChanges: given.confirm ? 0 : settings.MAX_CHANGES_PER_RUN,
      keepDays: settings.OUTBOX_KEEP_DAYS,
      keepKinds: ['amocrm.good'],
      requests: () => [...core.sent.values()].reduce((sum, count) => sum + count, 0),
      checkBinding: async () => {
        for (const [system, account] of stream.accounts) await refuseOtherAccount(database.db, system, account);
      },
      bind: async () => {
        for (const [system, account] of stream.accounts) {
          await database.transaction((tx) => bindAccount(tx, system, account, clock.now()));
        }
      },
      ...(stream.settled === undefined ? {} : { settled: stream.settled }),
      ping: (ok) => ping(settings, core, job.name, ok, log),
    };
    return {
      options,
      audit: tables.audits.kept,
      close: async () => {
        await stream.close();
        await close(core, database);
      },
    };
  } catch (error) {
    await close(core, database);
    throw error;
  }
}

async function close(core: HttpCore, database: Database): Promise<void> {
  core.close();
  await database.close();
}

/** As healthchecks.io does: the address after a good pass, `/fail` appended after a bad one. A monitor that is down fails nothing. */
async function ping(
  settings: CoreSettings,
  core: HttpCore,
  job: string,
  ok: boolean,
  log: CommandContext['log'],
): Promise<void> {
  const { HEARTBEAT_URL } = settings;
  if (HEARTBEAT_URL === undefined) return;
  const url = HEARTBEAT_URL.replaceAll('{job}', encodeURIComponent(job)).replace(/\/$/, '');
  const http = core.for({
    system: 'heartbeat',
    baseUrl: ok ? url : `${url}/fail`,
    timeoutMs: 5000,
    credentials: 'HEARTBEAT_URL',
  });
  const schema = { parse: () => undefined };
  // Monitors answer in plain words: healthchecks.io says `OK`.
  const request = { method: 'GET', path: '', route: 'ping', schema, bodyIgnored: true, repeatable: false } as const;
  await http.request(request).catch((error: unknown) => {
    log.warn({ reason: error instanceof Error ? error.message : 'unknown' }, 'the heartbeat could not be sent');
  });
}
