import * as z from 'zod';
import { Secret } from '../../base/secret.ts';

/*
 * Wire shapes of API v5, only the fields that we use. Ids that something hangs on are strict; everything else gives way, for PHP writes
 * an empty map as `[]`, lists as maps by code, and ids at times as text. Source: the vendor's PHP and Go clients, read 2026-11.
 */

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function idOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

function wholeOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** Trimmed; numbers count, since codes of digits come as either. */
function textOf(value: unknown): string | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && text.trim() !== '' ? text.trim() : undefined;
}

function valuesOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
}

const anything = z.unknown().optional();
const id = anything
  .transform(idOf)
  .refine((value) => value !== undefined, 'expected an id')
  .transform(Number);
const optionalId = anything.transform(idOf);
const text = anything.transform(textOf);
const name = anything.transform((value) => textOf(value) ?? '');
const flag = anything.transform((value) => value === true);
const count = anything.transform((value) => (typeof value === 'number' && value > 0 ? Math.floor(value) : 0));
/** Money in the account's currency; some fields come as text. */
const amount = anything.transform((value) => {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : 0;
});
const texts = anything.transform((value) => valuesOf(value).flatMap((item) => textOf(item) ?? []));

/** A list or a map of items, each of which must fit. */
function list<T extends z.ZodType>(item: T) {
  return anything.transform(valuesOf).pipe(z.array(item));
}

/** An object that may be absent, `[]`, or of another shape: then it is undefined. */
function part<T extends z.ZodType>(item: T) {
  return item.optional().catch(undefined);
}

/** An object that may be absent or empty (`[]`), and must fit where it is there: what is taken for absent would be overwritten. */
function whole<T extends z.ZodType>(item: T) {
  const filled = (value: unknown) => (isObject(value) && Object.keys(value).length > 0 ? value : undefined);
  return z.preprocess(filled, item.optional()).optional();
}

const phones = anything.transform((value) =>
  valuesOf(value).flatMap((phone) => textOf(isObject(phone) ? phone.number : phone) ?? []),
);

/** Phones are as people typed them, not normalised. */
const customer = z.object({
  id,
  externalId: text,
  site: text,
  firstName: text,
  lastName: text,
  patronymic: text,
  email: text,
  phones,
  managerId: optionalId,
  isContact: flag,
  ordersCount: count,
});
export type Customer = z.output<typeof customer>;

const pagination = part(z.object({ totalCount: count, currentPage: count, totalPageCount: count }));

export const credentialsAnswer = z.object({ scopes: texts, siteAccess: text, sitesAvailable: texts });
export type Credentials = z.output<typeof credentialsAnswer>;

const setting = part(z.object({ value: text }));
export const settingsAnswer = z
  .object({ settings: part(z.object({ timezone: setting, default_currency: setting, system_language: setting })) })
  .transform(({ settings }) => ({
    timeZone: settings?.timezone?.value,
    currency: settings?.default_currency?.value,
    language: settings?.system_language?.value,
  }));
export type AccountSettings = z.output<typeof settingsAnswer>;

const user = z.object({
  id,
  email: text,
  firstName: text,
  lastName: text,
  phone: text,
  status: text,
  active: flag,
  online: flag,
  isAdmin: flag,
  isManager: flag,
});
export type User = z.output<typeof user>;
export const usersAnswer = z.object({ users: list(user), pagination });

const code = z.string().min(1);
const site = z.object({ code, name, url: text, defaultForCrm: flag });
export type Site = z.output<typeof site>;
export const sitesAnswer = z.object({ sites: list(site) }).transform(({ sites }) => sites);

const status = z.object({ code, name, active: flag, group: text, ordering: count });
export type Status = z.output<typeof status>;
export const statusesAnswer = z.object({ statuses: list(status) }).transform(({ statuses }) => statuses);

export const customersAnswer = z.object({ customers: list(customer), pagination });

const order = z.object({
  id,
  externalId: text,
  number: text,
  site: text,
  status: name,
  createdAt: text,
  managerId: optionalId,
  phone: text,
  totalSumm: amount,
  customer: part(z.object({ id })),
});
export type OrderWire = z.output<typeof order>;
export const ordersAnswer = z.object({ orders: list(order) }).transform((answer) => answer.orders);
export const orderAnswer = z.object({ order }).transform((answer) => answer.order);

const task = z.object({ id, commentary: text, createdAt: text, customer: part(z.object({ id })) });
export type TaskWire = z.output<typeof task>;
export const tasksAnswer = z.object({ tasks: list(task), pagination });
export const customerAnswer = z.object({ customer }).transform((answer) => answer.customer);
export const createdAnswer = z.object({ id }).transform((answer) => answer.id);

/** The survivor's id, in the 404 of a customer that was merged into another. */
export const mergedAnswer = z.object({ combinedTo: z.object({ id }) }).transform((answer) => answer.combinedTo.id);

export const uploadedAnswer = z.object({
  uploadedCustomers: list(z.object({ id, externalId: text })),
  failedCustomers: list(z.object({ externalId: text })),
});

const change = {
  id,
  createdAt: text,
  created: flag,
  deleted: flag,
  /** user, api, code (RetailCRM itself) or rule (a trigger). */
  source: text,
  /** In snake case, and not the API's own name of the field. */
  field: text,
  oldValue: anything,
  newValue: anything,
  apiKey: part(z.object({ current: flag })),
  combinedTo: part(z.object({ id })),
};
const changedOrder = z.object({
  id,
  externalId: text,
  number: text,
  site: text,
  status: text,
  createdAt: text,
  managerId: optionalId,
  phone: text,
  customer: part(z.object({ id })),
});
const customerChange = z.object({ ...change, customer: part(customer) });
const orderChange = z.object({ ...change, order: part(changedOrder) });
export type CustomerChangeWire = z.output<typeof customerChange>;
export type OrderChangeWire = z.output<typeof orderChange>;
export type ChangedOrderWire = z.output<typeof changedOrder>;
export const customersHistoryAnswer = z.object({ history: list(customerChange), pagination });
export const ordersHistoryAnswer = z.object({ history: list(orderChange), pagination });

export const callsAnswer = z
  .object({ processedCallsCount: anything.transform(wholeOf), duplicateCalls: texts })
  .transform((wire) => ({ processed: wire.processedCallsCount, duplicates: wire.duplicateCalls }));

export const eventAnswer = z.object({ notExistCodes: texts, notExistUsers: texts });

const manager = z.object({ id, code: text, email: text, firstName: text, lastName: text });
export type Manager = z.output<typeof manager>;
export const managerAnswer = z.object({ manager: whole(manager), customer: whole(customer) });
export type ManagerOfPhone = z.output<typeof managerAnswer>;

const telephony = z.object({
  makeCallUrl: text,
  changeUserStatusUrl: text,
  allowEdit: flag,
  additionalCodes: list(z.object({ userId: id, code: name })),
  externalPhones: list(z.object({ siteCode: text, externalPhone: name })),
});

/** What stands at RetailCRM; `clientId` is all that proves a click-to-call. */
export const moduleAnswer = z
  .object({
    integrationModule: z.object({
      code,
      active: flag,
      name,
      clientId: text.transform((value) => (value === undefined ? undefined : new Secret(value))),
      baseUrl: text,
      accountUrl: text,
      logo: text,
      integrations: whole(z.object({ telephony: whole(telephony) })),
    }),
  })
  .transform(({ integrationModule: { integrations, ...rest } }) => ({ ...rest, telephony: integrations?.telephony }));
export type IntegrationModule = z.output<typeof moduleAnswer>;

export const doneAnswer = z.unknown().transform(() => undefined);
