import { createHash } from 'node:crypto';
import type { AmoParts } from '../commands/amo-parts.ts';
import type { CommandContext } from '../commands/define.ts';
import { jobTables } from '../commands/job-tables.ts';
import type { OnecParts } from '../commands/onec-parts.ts';
import { USER_AGENT } from '../commands/user-agent.ts';
import type { WatchOptions } from '../commands/watch-parts.ts';
import type { Environment } from '../config/env.ts';
import { parseLookback } from '../config/lookback.ts';
import { loadMapping, type Mapping } from '../config/mapping.ts';
import { type AnyGroup, type CoreSettings, coreSettings, readSettings } from '../config/settings.ts';
import type { Audit } from '../domain/audit.ts';
import { type HttpCore, httpCore } from '../http/core.ts';
import type { AnyJob, JobDefinition, SystemName } from '../jobs/define.ts';
import type { OnecAccess } from '../jobs/onec-reading.ts';
import type { WatchdogClients } from '../jobs/watchdog.ts';
import type { PassOptions, RunOptions } from '../runner/run-job.ts';
import { bindAccount, refuseOtherAccount } from '../state/bindings.ts';
import { type Database, openDatabase } from '../state/database.ts';
import { mappingMemory } from '../state/mapping-memory.ts';
import { requireSchema } from '../state/migrate.ts';
import { type AmoSettings, amoSettings } from '../systems/amocrm/settings.ts';
import { kaspiClient, kaspiHeaders } from '../systems/kaspi/client.ts';
import { type KaspiSettings, kaspiSettings } from '../systems/kaspi/settings.ts';
import { type MailSettings, mailSettings } from '../systems/mail/settings.ts';
import { type OnecSettings, onecSettings } from '../systems/onec/settings.ts';
import { type TelegramSettings, telegramSettings } from '../systems/telegram/settings.ts';

const TIMEOUT_MS = 15_000;
/** Before a write whose answer was lost is looked up. */
const QUIET_SECONDS = 60;
/** Nobody documents Kaspi's limit; live users pace themselves from 6 to 50 a second (fact sheet, section 1). */
const KASPI_PACE = { requests: 5, perMs: 1000 };

/** RetailCRM's and the PBX's variables depend on the mapping: its enterprises name their own. */
const GROUPS: Record<Exclude<SystemName, 'retailcrm' | 'pbx'>, AnyGroup> = {
  kaspi: kaspiSettings,
  onec: onecSettings,
  amocrm: amoSettings,
  telegram: telegramSettings,
  mail: mailSettings,
};
type AllSettings = CoreSettings &
  KaspiSettings &
  OnecSettings &
  AmoSettings &
  TelegramSettings &
  MailSettings &
  Readonly<Record<string, unknown>>;

/** The groups of settings that a job's systems need, whatever the mapping says. */
export function fixedSettingsOf(job: AnyJob): AnyGroup[] {
  return job.systems.flatMap((system) => (system === 'retailcrm' || system === 'pbx' ? [] : [GROUPS[system]]));
}

/** All groups of settings that a job needs. */
export async function settingsOf(job: AnyJob, environment: Environment, mappingFile?: string): Promise<AnyGroup[]> {
  const groups = fixedSettingsOf(job);
  if (!job.systems.includes('retailcrm')) return groups;
  const { enterpriseGroup, peekEnterprises } = await import('../commands/enterprise-settings.ts');
  const enterprises = await peekEnterprises(environment, mappingFile);
  return [...groups, enterpriseGroup(enterprises, job.systems.includes('pbx') ? ['crm', 'cdr'] : ['crm'])];
}

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

/** What one job's systems give it. */
interface Stream extends Pick<RunOptions<unknown, unknown, unknown>, 'handlers' | 'leastQuietMs' | 'settled'> {
  clients: unknown;
  /** What stands for the accounts of its sources. */
  accounts: readonly (readonly [system: string, account: string])[];
  /** The zone of its look-back; absent: TIMEZONE. */
  zone?: string | undefined;
  close(): Promise<void>;
}

interface Common extends Omit<WatchOptions, 'settingsOf' | 'settings'> {
  settings: AllSettings;
  mapping: Mapping | undefined;
  core: HttpCore;
  signal: AbortSignal;
}

async function streamOf(job: AnyJob, common: Common): Promise<Stream> {
  if (job.systems.includes('retailcrm')) return retailStream(common);
  const amo = lazyAmo(common);
  const onec = job.systems.includes('onec') ? await wireOnec(common) : undefined;
  const { settings } = common;
  return {
    clients: isWatchdog(job) ? await watchClients(common) : await clientsOf(job, { ...common, amo, onec }),
    handlers: async () => {
      const parts = await amo();
      await parts.bind();
      return [[...parts.effects(), ...(onec?.effects() ?? [])]];
    },
    leastQuietMs: async () => (await amo()).leastQuietMs(),
    accounts: sourceAccounts(job, settings),
    zone: onec?.zone,
    close: async () => onec?.close(),
  };
}

/** Calls go to RetailCRM alone, each enterprise's to its own account. */
async function retailStream(common: Common): Promise<Stream> {
  const [{ callsEnterprises, retailParts }, { settleRetail }] = await Promise.all([
    import('../commands/retail-parts.ts'),
    import('../state/calls.ts'),
  ]);
  const enterprises = await callsEnterprises(common.mapping);
  const parts = retailParts({ ...common, enterprises, baseDir: common.environment.baseDir });
  return {
    clients: { enterprises: parts.enterprises },
    handlers: () => Promise.all(parts.enterprises.map(({ effects }) => effects())),
    leastQuietMs: async () => 0,
    settled: settleRetail,
    accounts: parts.accounts,
    zone: parts.enterprises[0]?.zone,
    close: parts.close,
  };
}

async function close(core: HttpCore, database: Database): Promise<void> {
  core.close();
  await database.close();
}

type AmoWiring = Parameters<typeof import('../commands/amo-parts.ts')['amoParts']>[0];

/** An idle pass needs nothing of amoCRM, so nothing of it is loaded until the outbox holds work. */
function lazyAmo(wiring: AmoWiring): () => Promise<AmoParts> {
  let parts: Promise<AmoParts> | undefined;
  return () => {
    parts ??= import('../commands/amo-parts.ts').then(({ amoParts }) => amoParts(wiring));
    return parts;
  };
}

function isWatchdog(job: AnyJob): boolean {
  return job.systems.includes('telegram');
}

async function watchClients(options: Omit<WatchOptions, 'settingsOf'>): Promise<WatchdogClients> {
  const { watchParts } = await import('../commands/watch-parts.ts');
  return watchParts({ ...options, settingsOf: (job) => settingsOf(job, options.environment) });
}

async function clientsOf(
  job: AnyJob,
  {
    settings,
    core,
    amo,
    onec,
  }: { settings: AllSettings; core: HttpCore; amo: () => Promise<AmoParts>; onec: OnecParts | undefined },
): Promise<Record<string, unknown>> {
  const amocrm = async () => {
    const { client, memory, bind } = await amo();
    await bind();
    return { client, memory };
  };
  if (onec) return { onec: onecAccess(onec), amocrm };
  if (!job.systems.includes('kaspi')) return { amoAuthorization: (await amo()).authorization };
  const http = core.for({
    system: 'kaspi',
    baseUrl: settings.KASPI_API_URL,
    headers: kaspiHeaders(settings.KASPI_API_TOKEN),
    timeoutMs: settings.HTTP_TIMEOUT_MS ?? TIMEOUT_MS,
    limit: KASPI_PACE,
    credentials: 'KASPI_API_TOKEN',
  });
  return { kaspi: kaspiClient(http, { pageSize: settings.KASPI_PAGE_SIZE }), amocrm };
}

/** What a job is given of 1C. */
function onecAccess({ reader, mapping }: OnecParts): OnecAccess {
  return { reader, mapping };
}

/** 1C's stream needs its part of the mapping; a job that has none is not configured. */
async function wireOnec(
  options: Omit<Parameters<typeof import('../commands/onec-parts.ts')['onecParts']>[0], 'mapping'> & {
    mapping: Mapping | undefined;
  },
): Promise<OnecParts> {
  const { onecMapping, onecParts } = await import('../commands/onec-parts.ts');
  return onecParts({ ...options, mapping: onecMapping(options.mapping) });
}

/**
 * What stands for the account of a job's source. Kaspi has no call that names the shop, and its token is said never to
 * change; a 1C base is known by its address.
 */
function sourceAccounts(job: AnyJob, settings: AllSettings): [system: string, account: string][] {
  const hash = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32);
  const accounts: [string, string][] = [];
  if (job.systems.includes('kaspi')) accounts.push(['kaspi', hash(settings.KASPI_API_TOKEN.reveal().trim())]);
  if (job.systems.includes('onec')) accounts.push(['onec', hash(settings.ONEC_ODATA_URL.toLowerCase())]);
  return accounts;
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
