import type { Clock } from '../base/clock.ts';
import { assert } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Mapping } from '../config/mapping.ts';
import type { Enterprise } from '../config/mapping-calls-types.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { EffectHandler } from '../domain/handler.ts';
import { breakerOpen } from '../http/classify.ts';
import type { HttpCore } from '../http/core.ts';
import type { EnterpriseAccess } from '../jobs/calls-access.ts';
import type { Database } from '../state/database.ts';
import { sharedGate } from '../state/gate.ts';
import { retailMemory } from '../state/retail.ts';
import type { CdrSource } from '../systems/asterisk/api.ts';
import { retailcrmSystems } from '../systems/retailcrm/ask.ts';
import { retailcrmClient } from '../systems/retailcrm/client.ts';
import type { RetailMemory } from '../systems/retailcrm/memory.ts';
import { type EnterpriseSettings, enterpriseSettings } from './enterprise-settings.ts';

/** A little under the 10 and 40 requests a second that RetailCRM takes of a key, for requests overtake one another on their way. */
const API_RPS = 9;
const TELEPHONY_RPS = 36;

/** One enterprise put together. */
export interface EnterpriseParts extends EnterpriseAccess {
  settings: EnterpriseSettings;
  memory: RetailMemory;
  /** Those of this enterprise alone, customers first. */
  effects(): Promise<readonly EffectHandler[]>;
}

export interface RetailParts {
  enterprises: readonly EnterpriseParts[];
  /** What each enterprise's rows of this database belong to: the address of its account. */
  accounts: readonly (readonly [system: string, account: string])[];
  close(): Promise<void>;
}

export interface RetailOptions {
  enterprises: readonly Enterprise[];
  /** The variables of `enterpriseGroup`, as they were read. */
  settings: CoreSettings & Readonly<Record<string, unknown>>;
  baseDir: string;
  database: Database;
  core: HttpCore;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  dryRun: boolean;
}

/** The enterprises that the mapping lists, or the one that the environment describes. */
export async function callsEnterprises(mapping: Mapping | undefined): Promise<readonly Enterprise[]> {
  if (mapping?.calls !== undefined) return mapping.calls.enterprises;
  const { defaultEnterprise } = await import('../config/mapping-calls.ts');
  return [defaultEnterprise()];
}

/** RetailCRM's accounts and the call records of their PBXes. Nothing is asked or opened before it is needed. */
export function retailParts(options: RetailOptions): RetailParts {
  const budgets = new Map<string, string>();
  const parts = options.enterprises.map((enterprise) => enterpriseParts(enterprise, options, budgets));
  return {
    enterprises: parts,
    accounts: parts.map(({ enterprise, settings }) => [
      `retailcrm@${enterprise.number}`,
      new URL(settings.apiUrl).host.toLowerCase(),
    ]),
    close: async () => {
      for (const { closeCdr } of parts) await closeCdr();
    },
  };
}

function enterpriseParts(enterprise: Enterprise, options: RetailOptions, budgets: Map<string, string>) {
  const { core, clock, log, signal, database, dryRun, baseDir } = options;
  const settings = enterpriseSettings(enterprise, options.settings);
  const country = enterprise.country ?? options.settings.DEFAULT_COUNTRY;
  const zone = enterprise.cdr.timeZone ?? settings.pbxZone ?? options.settings.TIMEZONE;
  // RetailCRM counts by key: enterprises that share one share its budget.
  const key = `${settings.apiUrl} ${settings.apiKey.reveal()}`;
  const budget = budgets.get(key) ?? `retailcrm@${enterprise.number}`;
  budgets.set(key, budget);
  const gate = (name: string, rps: number) => sharedGate(database, name, rps, clock, breakerOpen);
  const gates = dryRun
    ? undefined
    : { api: gate(budget, API_RPS), telephony: gate(`${budget}/telephony`, TELEPHONY_RPS) };
  const systems = retailcrmSystems(settings.apiUrl, settings.apiKey, gates, options.settings.HTTP_TIMEOUT_MS);
  const crm = retailcrmClient(
    { api: core.for(systems.api), telephony: core.for(systems.telephony) },
    {
      sleep: (ms) => clock.sleep(ms, signal),
      signal,
      site: settings.site,
      zone: enterprise.retailcrm.timeZone,
      fallbackZone: options.settings.TIMEZONE,
      warn: (fields, message) => log.warn({ ...fields, enterprise: enterprise.number }, message),
    },
  );
  const memory = retailMemory(database, enterprise.number, clock, dryRun);
  let opened: Promise<CdrSource> | undefined;
  return {
    enterprise,
    settings,
    country,
    zone,
    recordingsBase: settings.recordingsBaseUrl,
    crm,
    memory,
    cdr: () => {
      opened ??= openRecords(enterprise, settings, { baseDir, zone, signal });
      return opened;
    },
    closeCdr: async () => (await opened?.catch(() => undefined))?.close(),
    effects: async () => {
      const { retailEffects } = await import('../systems/retailcrm/effects/index.ts');
      const now = () => clock.now();
      return retailEffects({ enterprise: enterprise.number, crm, memory, country, now, signal, log });
    },
  };
}

async function openRecords(
  { cdr }: Enterprise,
  { cdrUrl }: EnterpriseSettings,
  given: { baseDir: string; zone: string; signal: AbortSignal },
): Promise<CdrSource> {
  assert(cdrUrl !== undefined, 'call records are asked for by a command that did not read their address');
  const { openCdr } = await import('../systems/asterisk/cdr/index.ts');
  return openCdr({ url: cdrUrl, host: cdr.host, table: cdr.table, columns: cdr.columns, ...given });
}
