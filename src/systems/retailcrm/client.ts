import { assert } from '../../base/errors.ts';
import { isZone } from '../../base/local-time.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { Schema } from '../../base/schema.ts';
import { oddAnswer } from '../../http/classify.ts';
import type { SystemHttp } from '../../http/core.ts';
import { type AskOptions, asking } from './ask.ts';
import { type ChangeWire, type HistoryAnswer, type HistoryPage, pagesOfHistory } from './history.ts';
import { type ListPage, PAGE, pagesOf, rowsByIds } from './lists.ts';
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
  type OrderWire,
  orderAnswer,
  ordersAnswer,
  ordersHistoryAnswer,
  type Site,
  type Status,
  settingsAnswer,
  sitesAnswer,
  statusesAnswer,
  type TaskWire,
  tasksAnswer,
  type User,
  uploadedAnswer,
  usersAnswer,
} from './schema.ts';
import { fromAccount, toAccount } from './time.ts';
import { type CustomersUploaded, partOfUpload, uploadedOf } from './upload.ts';
import {
  type CallEvent,
  type CallRecord,
  type CustomerDraft,
  callWire,
  customerWire,
  type ModuleDraft,
  moduleWire,
  type OrderDraft,
  orderWire,
  type TaskDraft,
  taskWire,
} from './write.ts';

const SYSTEM = 'retailcrm';

/** Of calls and customers in one upload (vendor's .NET client, read 2026-11). */
export const LARGEST_UPLOAD = 50;
/** Merged into one that was merged into another, and so on; more is a circle. */
const MAX_MERGES = 10;

export interface CallsUploaded {
  processed?: number | undefined;
  duplicates: string[];
}

/** Called right before a write goes out, once per attempt. */
type OnSend = () => Promise<void>;

export interface RetailcrmOptions extends AskOptions {
  /** The store's symbolic code, sent with everything that RetailCRM may want it for. */
  site?: string | undefined;
  /** IANA zone of the account's dates. Absent: asked for once, when a date is first needed. */
  zone?: string | undefined;
  /** Taken where the account does not tell its zone, or not to this key. Absent: that is a failure. */
  fallbackZone?: string | undefined;
  warn?: (fields: Record<string, unknown>, message: string) => void;
}

/** An order as it stands. */
export type Order = Omit<OrderWire, 'customer' | 'createdAt' | 'number'> & {
  /** What people call it by; its id where it has none. */
  number: string;
  customerId: number | undefined;
  createdAt: Date;
};

/** A task as far as a look-up needs it. */
export type Task = Omit<TaskWire, 'customer' | 'createdAt'> & {
  customerId: number | undefined;
  createdAt: Date | undefined;
};

/** `total` of all that RetailCRM found, of which at most 100 are here. */
export interface FoundCustomers {
  customers: Customer[];
  total: number;
}

export interface RetailcrmClient {
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
   * By name or phone, as RetailCRM's own search has it: what it matches is not documented, and a filter that is not understood
   * gives all customers, so that the caller has to compare the phones.
   */
  customersBySearch(text: string): Promise<FoundCustomers>;
  /** All customers of the account, 100 a page, in no promised order. */
  customers(): AsyncGenerator<ListPage<Customer>>;
  /** Up to 100 ids; those that were deleted or merged are missing. */
  customersByIds(ids: readonly number[]): Promise<Map<number, Customer>>;
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
  /** Up to 100 ids; those that were deleted or merged are missing. */
  ordersByIds(ids: readonly number[]): Promise<Map<number, Order>>;
  orderByExternalId(externalId: string): Promise<Order | undefined>;
  /** The new order's id. It is marked as one to call about. */
  createOrder(draft: OrderDraft, onSend?: OnSend): Promise<number>;
  /** All tasks, or those of a customer where RetailCRM understands that filter; 100 a page, in no promised order. */
  tasksOf(customerId?: number): AsyncGenerator<ListPage<Task>>;
  /** The new task's id. */
  createTask(task: TaskDraft, onSend?: OnSend): Promise<number>;
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

  const odd = (route: string) => (why: string) => oddAnswer({ system: SYSTEM, route }, why);
  const settings = () => get('settings', '/api/v5/settings', settingsAnswer);

  async function accountZone(): Promise<string> {
    zone ??= await zoneTold().catch(zoneInstead);
    return zone;
  }

  async function zoneTold(): Promise<string> {
    const { timeZone } = await settings();
    if (timeZone !== undefined && isZone(timeZone)) return timeZone;
    throw odd('settings')('timezone: expected the name of a time zone');
  }

  /** Settings may be closed to the key, or missing in an old account; calls must go all the same. */
  function zoneInstead(error: unknown): string {
    const { fallbackZone, warn } = options;
    const isTold = error instanceof RemoteError && (error.code === 'REMOTE_ODD_ANSWER' || error.outcome === 'refused');
    if (fallbackZone === undefined || !isTold || error.code === 'REMOTE_BUSY') throw error;
    warn?.({ zone: fallbackZone, reason: error.message }, 'RetailCRM does not tell the zone of its dates');
    return fallbackZone;
  }

  async function users(): Promise<User[]> {
    const found = new Map<number, User>();
    const read = async (page: number) => {
      const answer = await get('users', '/api/v5/users', usersAnswer, { limit: PAGE, page });
      return { rows: answer.users, pagination: answer.pagination };
    };
    for await (const { rows } of pagesOf(read, odd('users'))) for (const user of rows) found.set(user.id, user);
    return [...found.values()];
  }

  const customersPage = async (page: number) => {
    const query = { limit: PAGE, page };
    const answer = await get('customers.list', '/api/v5/customers', customersAnswer, query);
    return { rows: answer.customers, pagination: answer.pagination };
  };

  async function customersByIds(ids: readonly number[]): Promise<Map<number, Customer>> {
    if (ids.length === 0) return new Map();
    const route = 'customers.byIds';
    const { customers } = await get(route, '/api/v5/customers', customersAnswer, idsQuery(ids));
    return rowsByIds(ids, customers, odd(route));
  }

  async function orderOf(wire: OrderWire, route: string): Promise<Order> {
    const { customer, number, ...rest } = wire;
    const createdAt = fromAccount(wire.createdAt, await accountZone());
    if (createdAt === undefined) throw odd(route)('createdAt: expected a date and time');
    return { ...rest, number: number ?? String(wire.id), customerId: customer?.id, createdAt };
  }

  async function ordersByIds(ids: readonly number[]): Promise<Map<number, Order>> {
    if (ids.length === 0) return new Map();
    const route = 'orders.byIds';
    const wires = await get(route, '/api/v5/orders', ordersAnswer, idsQuery(ids));
    const orders = await Promise.all(wires.map((wire) => orderOf(wire, route)));
    return rowsByIds(ids, orders, odd(route));
  }

  async function orderByExternalId(externalId: string): Promise<Order | undefined> {
    const route = 'orders.get';
    const path = `/api/v5/orders/${encodeURIComponent(externalId)}`;
    const found = await orMissing(get(route, path, orderAnswer, { by: 'externalId', ...site }));
    return found instanceof RemoteError ? undefined : orderOf(found, route);
  }

  async function* tasksOf(customerId?: number): AsyncGenerator<ListPage<Task>> {
    const route = 'tasks.list';
    const inZone = await accountZone();
    const filter: Params = customerId === undefined ? {} : { 'filter[customer]': customerId };
    const read = async (page: number) => {
      const answer = await get(route, '/api/v5/tasks', tasksAnswer, { ...filter, limit: PAGE, page });
      const rows = answer.tasks.map(({ customer: of, createdAt, ...rest }) => ({
        ...rest,
        customerId: of?.id,
        createdAt: fromAccount(createdAt, inZone),
      }));
      return { rows, pagination: answer.pagination };
    };
    yield* pagesOf(read, odd(route));
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
    throw odd('customers.get')(`merged more than ${MAX_MERGES} times`);
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
    yield* pagesOfHistory(read, after, inZone, odd(route));
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
    site: options.site,
    credentials: () => get('credentials', '/api/credentials', credentialsAnswer),
    settings,
    users,
    sites: () => get('sites', '/api/v5/reference/sites', sitesAnswer),
    statuses: () => get('statuses', '/api/v5/reference/statuses', statusesAnswer),
    customersBySearch,
    customers: () => pagesOf(customersPage, odd('customers.list')),
    customersByIds,
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
    ordersByIds,
    orderByExternalId,
    createOrder: (draft, onSend) => {
      const params = { ...site, order: JSON.stringify(orderWire(draft)) };
      return post({ route: 'orders.create', path: '/api/v5/orders/create', schema: createdAnswer, params }, onSend);
    },
    tasksOf,
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

type Params = Record<string, string | number | readonly number[]>;

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
    Object.entries(params).flatMap(([name, value]) =>
      [value].flat().map((one): [string, string] => [name, String(one)]),
    ),
  ).toString();
}

function idsQuery(ids: readonly number[]): Params {
  assert(ids.length <= PAGE, `a list by ids takes up to ${PAGE}`);
  return { 'filter[ids][]': ids, limit: PAGE, page: 1 };
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
