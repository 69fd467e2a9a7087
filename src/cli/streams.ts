import { createHash } from 'node:crypto';
import type { AmoParts } from '../commands/amo-parts.ts';
import type { OnecParts } from '../commands/onec-parts.ts';
import type { WatchOptions } from '../commands/watch-parts.ts';
import type { Environment } from '../config/env.ts';
import type { Mapping } from '../config/mapping.ts';
import type { AnyGroup, CoreSettings } from '../config/settings.ts';
import type { HttpCore } from '../http/core.ts';
import type { AnyJob, SystemName } from '../jobs/define.ts';
import type { OnecAccess } from '../jobs/onec-reading.ts';
import type { WatchdogClients } from '../jobs/watchdog.ts';
import type { RunOptions } from '../runner/run-job.ts';
import { type AmoSettings, amoSettings } from '../systems/amocrm/settings.ts';
import { kaspiClient, kaspiHeaders } from '../systems/kaspi/client.ts';
import { type KaspiSettings, kaspiSettings } from '../systems/kaspi/settings.ts';
import { type MailSettings, mailSettings } from '../systems/mail/settings.ts';
import { type OnecSettings, onecSettings } from '../systems/onec/settings.ts';
import { type TelegramSettings, telegramSettings } from '../systems/telegram/settings.ts';

/** For a single request, where HTTP_TIMEOUT_MS does not say otherwise. */
export const TIMEOUT_MS = 15_000;
/** Nobody documents Kaspi's limit; live users pace themselves from 6 to 50 a second. */
const KASPI_PACE = { requests: 5, perMs: 1000 };

/** RetailCRM's and the PBX's variables depend on the mapping: its enterprises name their own. */
const GROUPS: Record<Exclude<SystemName, 'retailcrm' | 'pbx'>, AnyGroup> = {
  kaspi: kaspiSettings,
  onec: onecSettings,
  amocrm: amoSettings,
  telegram: telegramSettings,
  mail: mailSettings,
};
export type AllSettings = CoreSettings &
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

/** What one job's systems give it. */
export interface Stream extends Pick<RunOptions<unknown, unknown, unknown>, 'handlers' | 'leastQuietMs' | 'settled'> {
  clients: unknown;
  /** What stands for the accounts of its sources. */
  accounts: readonly (readonly [system: string, account: string])[];
  /** The zone of its look-back; absent: TIMEZONE. */
  zone?: string | undefined;
  close(): Promise<void>;
}

export interface Common extends Omit<WatchOptions, 'settingsOf' | 'settings'> {
  settings: AllSettings;
  mapping: Mapping | undefined;
  core: HttpCore;
  signal: AbortSignal;
}

/** Puts together what a job works with; nothing of a system that it does not name. */
export async function streamOf(job: AnyJob, common: Common): Promise<Stream> {
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

type AmoWiring = Parameters<typeof import('../commands/amo-parts.ts')['amoParts']>[0];

/** An idle pass needs nothing of amoCRM, so nothing of it is loaded until the outbox holds work. */
function lazyAmo(wiring: AmoWiring): () => Promise<AmoParts> {
  let parts: Promise<AmoParts> | undefined;
  return () => {
    parts ??= import('../commands/amo-parts.ts').then(({ amoParts }) => amoParts(wiring));
    return parts;
  };
}

export function isWatchdog(job: AnyJob): boolean {
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
