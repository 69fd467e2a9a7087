import { RemoteError } from '../../base/remote-error.ts';
import type { SystemHttp } from '../../http/core.ts';
import { customerRequests, type RetailCustomers } from './customers.ts';
import { assertBatch, PAGE, pagesOf } from './lists.ts';
import { orderRequests, type RetailOrders } from './orders.ts';
import { type OnSend, orMissing, type RetailcrmOptions, requesting } from './requests.ts';
import {
  type AccountSettings,
  type Credentials,
  callsAnswer,
  credentialsAnswer,
  doneAnswer,
  eventAnswer,
  type IntegrationModule,
  type ManagerOfPhone,
  managerAnswer,
  moduleAnswer,
  type Site,
  type Status,
  settingsAnswer,
  sitesAnswer,
  statusesAnswer,
  type User,
  usersAnswer,
} from './schema.ts';
import { type CallEvent, type CallRecord, callWire, type ModuleDraft, moduleWire } from './write.ts';

export type { Order } from './orders.ts';

export interface CallsUploaded {
  processed?: number | undefined;
  duplicates: string[];
}

export interface RetailcrmClient extends RetailCustomers, RetailOrders {
  /** The store's symbolic code that goes with what is sent. */
  readonly site: string | undefined;
  /** What the key may do; the cheapest way to see that address and key are right. */
  credentials(): Promise<Credentials>;
  settings(): Promise<AccountSettings>;
  /** All of them, whether active or not. */
  users(): Promise<User[]>;
  sites(): Promise<Site[]>;
  statuses(): Promise<Status[]>;
  /**
   * 1 to 50 calls. `duplicates`: external ids that stood there already; nothing of them is changed as far as is known.
   * `processed`: with the duplicates or without them, absent where RetailCRM gives no number. Taken in part: status 460.
   */
  uploadCalls(calls: readonly CallRecord[], onSend?: OnSend): Promise<CallsUploaded>;
  /** Which of the extensions and users RetailCRM does not know. */
  callEvent(event: CallEvent, onSend?: OnSend): Promise<{ notExistCodes: string[]; notExistUsers: string[] }>;
  /** The manager and the customer of a phone, each where there is one, by RetailCRM's own rules; whatever the manager's status. */
  managerByPhone(phone: string): Promise<ManagerOfPhone>;
  module(code: string): Promise<IntegrationModule | undefined>;
  /** Makes the module or changes it. Its lists are replaced: read `module` first. */
  editModule(code: string, draft: ModuleDraft, onSend?: OnSend): Promise<void>;
}

/**
 * RetailCRM's API v5 (vendor's API rules and clients, read 2026-11), over two systems made by `retailcrmSystems`. GET takes an
 * ordinary query; POST a form whose parameters with structure are JSON. Everything throws `RemoteError`.
 */
export function retailcrmClient(
  { api, telephony }: { api: SystemHttp; telephony: SystemHttp },
  options: RetailcrmOptions,
): RetailcrmClient {
  const requests = requesting(api, options);
  const { get, post, odd, site } = requests;

  async function users(): Promise<User[]> {
    const found = new Map<number, User>();
    const read = async (page: number) => {
      const answer = await get('users', '/api/v5/users', usersAnswer, { limit: PAGE, page });
      return { rows: answer.users, pagination: answer.pagination };
    };
    for await (const { rows } of pagesOf(read, odd('users'))) for (const user of rows) found.set(user.id, user);
    return [...found.values()];
  }

  async function uploadCalls(calls: readonly CallRecord[], onSend?: OnSend) {
    assertBatch(calls, 'calls');
    const inZone = await requests.zone();
    const wire = calls.map((call) => callWire(call, inZone, options.site));
    const path = '/api/v5/telephony/calls/upload';
    const given = { route: 'calls.upload', path, schema: callsAnswer, repeatable: true, http: telephony };
    return post({ ...given, params: { calls: JSON.stringify(wire) } }, onSend);
  }

  async function managerByPhone(phone: string): Promise<ManagerOfPhone> {
    const query = { phone, details: 1, ignoreStatus: 1 };
    const path = '/api/v5/telephony/manager';
    const found = await orMissing(get('telephony.manager', path, managerAnswer, query, telephony));
    return found instanceof RemoteError ? { manager: undefined, customer: undefined } : found;
  }

  async function module(code: string): Promise<IntegrationModule | undefined> {
    const path = `/api/v5/integration-modules/${encodeURIComponent(code)}`;
    const found = await orMissing(get('modules.get', path, moduleAnswer));
    return found instanceof RemoteError ? undefined : found;
  }

  return {
    ...customerRequests(requests),
    ...orderRequests(requests),
    site: options.site,
    credentials: () => get('credentials', '/api/credentials', credentialsAnswer),
    settings: () => get('settings', '/api/v5/settings', settingsAnswer),
    users,
    sites: () => get('sites', '/api/v5/reference/sites', sitesAnswer),
    statuses: () => get('statuses', '/api/v5/reference/statuses', statusesAnswer),
    uploadCalls,
    callEvent: (event, onSend) => {
      const params = { event: JSON.stringify({ ...event, ...site }) };
      const path = '/api/v5/telephony/call/event';
      return post({ route: 'calls.event', path, schema: eventAnswer, params, http: telephony }, onSend);
    },
    managerByPhone,
    module,
    editModule: (code, draft, onSend) => {
      const params = { integrationModule: JSON.stringify(moduleWire(code, draft)) };
      const path = `/api/v5/integration-modules/${encodeURIComponent(code)}/edit`;
      return post({ route: 'modules.edit', path, schema: doneAnswer, params, repeatable: true }, onSend);
    },
  };
}
