import { assert } from '../../base/errors.ts';
import { isZone } from '../../base/local-time.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import { oddAnswer } from '../../http/classify.ts';
import type { SystemHttp } from '../../http/core.ts';
import { type AskOptions, asking } from './ask.ts';
import { type ChangeWire, type HistoryAnswer, type HistoryPage, pagesOfHistory } from './history.ts';
import {
  type AccountSettings,
  type Credentials,
  type Customer,
  type CustomerChangeWire,
  callsAnswer,
  createdAnswer,
  credentialsAnswer,
  customerAnswer,
  customersAnswer,
  customersHistoryAnswer,
  doneAnswer,
  eventAnswer,
  type IntegrationModule,
  type ManagerOfPhone,
  managerAnswer,
  mergedAnswer,
  moduleAnswer,
  type OrderChangeWire,
  ordersHistoryAnswer,
  type Site,
  type Status,
  settingsAnswer,
  sitesAnswer,
  statusesAnswer,
  type User,
  uploadedAnswer,
  usersAnswer,
} from './schema.ts';
import { toAccount } from './time.ts';
import { type CustomersUploaded, partOfUpload, uploadedOf } from './upload.ts';
import {
  type CallEvent,
  type CallRecord,
  type CustomerDraft,
  callWire,
  customerWire,
  type ModuleDraft,
  moduleWire,
  type TaskDraft,
  taskWire,
} from './write.ts';

const SYSTEM = 'retailcrm';

/** Of calls and customers in one upload (vendor's .NET client, read 2026-11). */
export const LARGEST_UPLOAD = 50;
/** Lists take 20, 50 or 100, and refuse everything else (vendor's PHP client, read 2026-11). */
const PAGE = 100;
/** Merged into one that was merged into another, and so on; more is a circle. */
const MAX_MERGES = 10;

/** Called right before a write goes out, once per attempt. */
type OnSend = () => Promise<void>;

export interface RetailcrmOptions extends AskOptions {
  /** The store's symbolic code, sent with everything that RetailCRM may want it for. */
  site?: string | undefined;
  /** IANA zone of the account's dates. Absent: asked for once, when a date is first needed. */
  zone?: string | undefined;
}

/** `total` of all that RetailCRM found, of which at most 100 are here. */
export interface FoundCustomers {
  customers: Customer[];
  total: number;
}

export interface RetailcrmClient {
  /** What the key may do; the cheapest way to see that address and key are right. */
  credentials(): Promise<Credentials>;
  settings(): Promise<AccountSettings>;
  /** All of them, whether active or not. */
  users(): Promise<User[]>;
  sites(): Promise<Site[]>;
  statuses(): Promise<Status[]>;
  /**
   * By name or phone, as RetailCRM's own search has it: what it matches is not documented, and a filter that is not understood
   * gives all customers, so that the caller has to compare the phones.
   */
  customersBySearch(text: string): Promise<FoundCustomers>;
  /** A merged customer is followed to the one that remains, whose id then differs; undefined where there is none. */
  customerById(id: number): Promise<Customer | undefined>;
  customerByExternalId(externalId: string): Promise<Customer | undefined>;
  /** The new customer's id. RetailCRM joins nobody by phone: sent twice without an external id, it makes two. */
  createCustomer(draft: CustomerDraft, onSend?: OnSend): Promise<number>;
  /** 1 to 50 customers, each with an external id of its own, by which a repetition is recognised. */
  uploadCustomers(
    drafts: readonly (CustomerDraft & { externalId: string })[],
    onSend?: OnSend,
  ): Promise<CustomersUploaded>;
  /** What has changed after the entry with this id, or since a moment where no id is known yet; asks for a page when the consumer does. */
  customersHistory(since: number | Date): AsyncGenerator<HistoryPage<CustomerChangeWire>>;
  ordersHistory(since: number | Date): AsyncGenerator<HistoryPage<OrderChangeWire>>;
  /** The new task's id. */
  createTask(task: TaskDraft, onSend?: OnSend): Promise<number>;
  /** 1 to 50 calls. `duplicates`: external ids that stood there already; nothing of them is changed as far as is known. */
  uploadCalls(calls: readonly CallRecord[], onSend?: OnSend): Promise<{ processed: number; duplicates: string[] }>;
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
  const ask = asking(options);
  const site = options.site === undefined ? {} : { site: options.site };
  let zone: string | undefined = options.zone;

  function get<T>(route: string, path: string, schema: Schema<T>, query: Params = {}, http = api): Promise<T> {
    const text = formText(query);
    return ask(http, { method: 'GET', route, path, schema, ...(text !== '' && { query: text }) });
  }

  function post<T>(given: Writing<T>, onSend?: OnSend): Promise<T> {
    const { route, path, schema, params, repeatable = false, http = api } = given;
    const form = formText(params);
    return ask(http, { method: 'POST', route, path, schema, form, repeatable, ...(onSend && { onSend }) });
  }

  const settings = () => get('settings', '/api/v5/settings', settingsAnswer);

  async function accountZone(): Promise<string> {
    if (zone !== undefined) return zone;
    const { timeZone } = await settings();
    if (timeZone === undefined || !isZone(timeZone)) {
      throw oddAnswer({ system: SYSTEM, route: 'settings' }, 'timezone: expected the name of a time zone');
    }
    zone = timeZone;
    return timeZone;
  }

  async function users(): Promise<User[]> {
    const found = new Map<number, User>();
    for (let page = 1; ; page++) {
      const answer = await get('users', '/api/v5/users', usersAnswer, { limit: PAGE, page });
      const before = found.size;
      for (const user of answer.users) found.set(user.id, user);
      if (answer.users.length === 0 || page >= (answer.pagination?.totalPageCount ?? Number.MAX_SAFE_INTEGER)) {
        return [...found.values()];
      }
      // A server that ignores the page's number would feed us its first page for ever.
      if (found.size === before) throw oddAnswer({ system: SYSTEM, route: 'users' }, 'two equal pages in a row');
    }
  }

  async function customersBySearch(text: string): Promise<FoundCustomers> {
    const query = { 'filter[name]': text, limit: PAGE, page: 1 };
    const { customers, pagination } = await get('customers.search', '/api/v5/customers', customersAnswer, query);
    return { customers, total: Math.max(pagination?.totalCount ?? 0, customers.length) };
  }

  async function customer(by: 'id' | 'externalId', key: string): Promise<Customer | undefined> {
    let query: Params = { by, ...(by === 'externalId' && site) };
    let wanted = key;
    for (let merges = 0; merges <= MAX_MERGES; merges++) {
      const path = `/api/v5/customers/${encodeURIComponent(wanted)}`;
      const found = await orMissing(get('customers.get', path, customerAnswer, query));
      if (!(found instanceof RemoteError)) return found;
      const survivor = mergedAnswer.safeParse(found.answer);
      if (!survivor.success) return undefined;
      wanted = String(survivor.data);
      query = { by: 'id' };
    }
    throw oddAnswer({ system: SYSTEM, route: 'customers.get' }, `merged more than ${MAX_MERGES} times`);
  }

  async function uploadCustomers(drafts: readonly (CustomerDraft & { externalId: string })[], onSend?: OnSend) {
    assertBatch(drafts, 'customers');
    const params = { ...site, customers: JSON.stringify(drafts.map(customerWire)) };
    const route = 'customers.upload';
    const path = '/api/v5/customers/upload';
    const given = { route, path, schema: uploadChecked, params, repeatable: true };
    const answer = await post(given, onSend).catch(partOfUpload);
    return uploadedOf(
      drafts.map(({ externalId }) => externalId),
      answer,
    );
  }

  async function* history<Wire extends ChangeWire>(
    of: 'customers' | 'orders',
    schema: Schema<HistoryAnswer<Wire>>,
    since: number | Date,
  ): AsyncGenerator<HistoryPage<Wire>> {
    const route = `${of}.history`;
    const inZone = await accountZone();
    const start: Params = since instanceof Date ? { 'filter[startDate]': toAccount(since, inZone) } : {};
    const read = (sinceId: number | undefined) => {
      const from = sinceId === undefined ? start : { 'filter[sinceId]': sinceId };
      return get(route, `/api/v5/${of}/history`, schema, { ...from, limit: PAGE });
    };
    const after = typeof since === 'number' ? since : undefined;
    yield* pagesOfHistory(read, after, inZone, (why) => oddAnswer({ system: SYSTEM, route }, why));
  }

  async function createTask(task: TaskDraft, onSend?: OnSend): Promise<number> {
    const wire = taskWire(task, task.due === undefined ? 'UTC' : await accountZone(), options.site);
    const params = { ...site, task: JSON.stringify(wire) };
    return post({ route: 'tasks.create', path: '/api/v5/tasks/create', schema: createdAnswer, params }, onSend);
  }

  async function uploadCalls(calls: readonly CallRecord[], onSend?: OnSend) {
    assertBatch(calls, 'calls');
    const inZone = await accountZone();
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
    credentials: () => get('credentials', '/api/credentials', credentialsAnswer),
    settings,
    users,
    sites: () => get('sites', '/api/v5/reference/sites', sitesAnswer),
    statuses: () => get('statuses', '/api/v5/reference/statuses', statusesAnswer),
    customersBySearch,
    customerById: (id) => customer('id', String(id)),
    customerByExternalId: (externalId) => customer('externalId', externalId),
    createCustomer: (draft, onSend) => {
      const params = { ...site, customer: JSON.stringify(customerWire(draft)) };
      const path = '/api/v5/customers/create';
      return post({ route: 'customers.create', path, schema: createdAnswer, params }, onSend);
    },
    uploadCustomers,
    customersHistory: (since) => history('customers', customersHistoryAnswer, since),
    ordersHistory: (since) => history('orders', ordersHistoryAnswer, since),
    createTask,
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

/** The body itself, for `uploadedOf`, once it is known to be readable. */
const uploadChecked: Schema<unknown> = {
  parse: (input) => {
    uploadedAnswer.parse(input);
    return input;
  },
};

type Params = Record<string, string | number>;

interface Writing<T> {
  route: string;
  path: string;
  schema: Schema<T>;
  params: Params;
  /** The same in the end however often it is sent. */
  repeatable?: boolean;
  http?: SystemHttp;
}

/** A plus is written as %2B, without which a phone would lose it. */
function formText(params: Params): string {
  return new URLSearchParams(
    Object.entries(params).map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
}

function assertBatch(items: readonly { externalId: string }[], what: string): void {
  assert(items.length >= 1 && items.length <= LARGEST_UPLOAD, `an upload takes 1 to ${LARGEST_UPLOAD} ${what}`);
  const ids = new Set(items.map(({ externalId }) => externalId));
  assert(ids.size === items.length, `two ${what} of an upload have one external id`);
}

/** The refusal itself where RetailCRM has no such thing; every other failure stays one. */
async function orMissing<T>(answer: Promise<T>): Promise<T | RemoteError> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof RemoteError && error.status === 404) return error;
    throw error;
  }
}
