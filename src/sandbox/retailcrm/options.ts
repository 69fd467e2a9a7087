import { usageError } from '../../base/errors.ts';

/** Switches of the stand-in: what differs between accounts, what nobody could confirm of the live system, and its bad days. */
export interface RetailcrmOptions {
  apiKey: string;
  /** Epoch ms of the account's clock. Over HTTP: an ISO instant or a number freezes it, null lets it run again. */
  now: () => number;
  /** Epoch ms by which the pace of requests is measured. */
  paceNow: () => number;
  /** IANA zone of the account; every date-time on the wire is local to it. */
  timeZone: string;
  scopes: readonly string[];
  /** Stores that the key sees. With more than one, writes and reads by externalId demand `site`. */
  sites: readonly string[];
  /** Requests a second, those below `/telephony` apart; 0 = no limit. */
  rps: number;
  telephonyRps: number;
  /** The next so many requests are answered as if they came too fast. */
  busyTimes: number;
  busyStatus: 503 | 429;
  /** Seconds in `Retry-After` of such answers; 0 = no such header, which is what was seen. */
  retryAfterSeconds: number;
  /** Every answer comes so much later. */
  delayMs: number;
  /** Nobody owns this subdomain: HTML instead of JSON, 405 on POST. */
  accountMissing: boolean;
  errorsAs: 'map' | 'list';
  /** An empty `customFields` is `[]` in PHP's JSON. */
  emptyMapsAs: 'list' | 'map';
  /** `filter[phone]` is in no official list, and three clients use it. */
  phoneFilter: 'honoured' | 'ignored' | 'refused';
  /** How `filter[name]` looks at phones: the whole string, a part of it, or a part of its digits. */
  nameFilter: 'whole' | 'substring' | 'digits';
  unknownFilters: 'ignored' | 'refused';
  /** By id; the documents promise no order. */
  listOrder: 'ascending' | 'descending';
  phonesOnEdit: 'replace' | 'append';
  /** A customer in an upload whose externalId is there already. */
  takenInUpload: 'refused' | 'updated';
  /** externalIds of customers and calls that uploads refuse, whatever they hold. */
  refusedInUpload: readonly string[];
  /** Merging is asynchronous; it is done so long after it was asked for. */
  combineDelayMs: number;
  /** Telephony counts as not set up, even if a module is registered. */
  telephonyOff: boolean;
  telephonyRefusalStatus: 200 | 400;
  /** An event without codes and userIds is refused. */
  managerDemanded: boolean;
  /** A call with an extension that the account does not know: kept without a manager, or a fault of the call. */
  unknownCodeInUpload: 'kept' | 'refused';
  /** One bad call in an upload: nothing is stored (400), or all but the bad ones (460). */
  badCallInUpload: 'refuses-all' | 'partial';
  /** Whether a call uploaded again replaces what is stored. */
  duplicateUpdates: boolean;
  /** Whether `processedCallsCount` counts duplicates too. */
  duplicatesCounted: boolean;
  /** `additionalCodes` after a module edit whose telephony does not name them. */
  codesWhenAbsent: 'dropped' | 'kept';
  /** Ids in `/telephony/manager` and userIds in `additionalCodes` as text. */
  stringIds: boolean;
  /** So many recalculated segments in the customers' history after each change. */
  segmentNoise: number;
}

/** The stand-in's key: 32 characters, the shape of real ones. */
export const RETAILCRM_SANDBOX_KEY = 'sdelkaSandboxRetailcrmKey0000001';

export const DEFAULT_OPTIONS: RetailcrmOptions = {
  apiKey: RETAILCRM_SANDBOX_KEY,
  now: Date.now,
  paceNow: Date.now,
  timeZone: 'Europe/Moscow',
  scopes: [
    'order_read',
    'order_write',
    'customer_read',
    'customer_write',
    'telephony_read',
    'telephony_write',
    'user_read',
    'task_read',
    'task_write',
    'reference_read',
    'integration_read',
    'integration_write',
  ],
  sites: ['shop'],
  rps: 10,
  telephonyRps: 40,
  busyTimes: 0,
  busyStatus: 503,
  retryAfterSeconds: 0,
  delayMs: 0,
  accountMissing: false,
  errorsAs: 'map',
  emptyMapsAs: 'list',
  phoneFilter: 'honoured',
  nameFilter: 'substring',
  unknownFilters: 'ignored',
  listOrder: 'ascending',
  phonesOnEdit: 'replace',
  takenInUpload: 'refused',
  refusedInUpload: [],
  combineDelayMs: 0,
  telephonyOff: false,
  telephonyRefusalStatus: 200,
  managerDemanded: false,
  unknownCodeInUpload: 'kept',
  badCallInUpload: 'refuses-all',
  duplicateUpdates: false,
  duplicatesCounted: false,
  codesWhenAbsent: 'dropped',
  stringIds: false,
  segmentNoise: 0,
};

const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  busyStatus: [503, 429],
  errorsAs: ['map', 'list'],
  emptyMapsAs: ['list', 'map'],
  phoneFilter: ['honoured', 'ignored', 'refused'],
  nameFilter: ['whole', 'substring', 'digits'],
  unknownFilters: ['ignored', 'refused'],
  listOrder: ['ascending', 'descending'],
  phonesOnEdit: ['replace', 'append'],
  takenInUpload: ['refused', 'updated'],
  telephonyRefusalStatus: [200, 400],
  unknownCodeInUpload: ['kept', 'refused'],
  badCallInUpload: ['refuses-all', 'partial'],
  codesWhenAbsent: ['dropped', 'kept'],
};

function clockFrom(key: string, value: unknown): () => number {
  if (typeof value === 'function') return value as () => number;
  if (value === null) return Date.now;
  const at = typeof value === 'string' ? Date.parse(value) : value;
  if (typeof at !== 'number' || !Number.isFinite(at)) {
    throw usageError(`RetailCRM stand-in: option ${key} is an instant or null`);
  }
  return () => at;
}

/** Merges options in. Throws on an unknown name or a value of another kind: a misspelt switch must not make a test pass. */
export function mergeOptions(options: RetailcrmOptions, given: Record<string, unknown>): void {
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULT_OPTIONS, key)) throw usageError(`RetailCRM stand-in: unknown option ${key}`);
    const model = DEFAULT_OPTIONS[key as keyof RetailcrmOptions];
    if (typeof model === 'function') {
      Object.assign(options, { [key]: clockFrom(key, value) });
      continue;
    }
    const choices = CHOICES[key];
    const fits = choices
      ? choices.includes(value)
      : typeof value === typeof model && Array.isArray(value) === Array.isArray(model);
    if (!fits) throw usageError(`RetailCRM stand-in: option ${key} cannot be ${JSON.stringify(value)}`);
    Object.assign(options, { [key]: value });
  }
}
