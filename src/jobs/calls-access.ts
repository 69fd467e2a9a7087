import type { Mapping } from '../config/mapping.ts';
import type { Enterprise } from '../config/mapping-calls-types.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { JobContext } from '../runner/job.ts';
import type { CdrSource } from '../systems/asterisk/api.ts';
import type { RetailcrmClient } from '../systems/retailcrm/client.ts';

/** What a job is given of one enterprise. */
export interface EnterpriseAccess {
  enterprise: Enterprise;
  /** ISO country of phones without a country code. */
  country: string;
  /** IANA zone of the PBX's local times. */
  zone: string;
  /** What every recording's link begins with; absent: no links. */
  recordingsBase: string | undefined;
  crm: RetailcrmClient;
  /** The PBX's call records; opened at the first call, closed after the pass. */
  cdr(): Promise<CdrSource>;
}

export type CallsJobContext = JobContext<{ enterprises: readonly EnterpriseAccess[] }, CoreSettings, Mapping>;
