import type { SandboxAnswer } from '../kit.ts';
import {
  createCustomer,
  customerByExternalId,
  customerFaults,
  editCustomer,
  mergeCustomers,
  renderCustomer,
} from './customer-write.ts';
import { type Customer, digitsOf, type Fields } from './model.ts';
import {
  badEntity,
  badInput,
  byOf,
  type Call,
  created,
  day,
  demandNoFaults,
  type Faults,
  type Filter,
  filtersOf,
  flag,
  listParameter,
  notFound,
  objectParameter,
  ok,
  oneOf,
  paged,
  pageOf,
  RetailRefusal,
  siteOf,
} from './wire.ts';

const MOST_IN_BATCH = 50;

/** Filters that RetailCRM has and the stand-in has not. */
const NOT_HERE = [
  ...['city', 'region', 'managerGroups', 'notes', 'online', 'segment', 'tags', 'attachedTags', 'firstOrderFrom'],
  ...['firstOrderTo', 'lastOrderFrom', 'lastOrderTo', 'minOrdersCount', 'maxOrdersCount', 'customFields'],
  ...['mgCustomerId', 'sourceName'],
];

function hasDigits(customer: Customer, needle: string): boolean {
  const digits = digitsOf(needle);
  return digits !== '' && customer.phones.some(({ number }) => digitsOf(number).includes(digits));
}

function matchesName(call: Call, customer: Customer, needle: string): boolean {
  const name = ['lastName', 'firstName', 'patronymic'].map((field) => customer[field] ?? '').join(' ');
  if (name.toLowerCase().includes(needle.toLowerCase())) return true;
  const mode = call.world.options.nameFilter;
  if (mode === 'digits') return hasDigits(customer, needle);
  return customer.phones.some(({ number }) => (mode === 'whole' ? number === needle : number.includes(needle)));
}

/** `filter[phone]` stands in no list of the vendor's; whether it works is the account's secret. */
function phoneFilter(call: Call): Filter<Customer> {
  return ([value = ''], name) => {
    const mode = call.world.options.phoneFilter;
    if (mode === 'refused') throw badInput(name, 'This form should not contain extra fields.');
    return (customer) => mode === 'ignored' || hasDigits(customer, value);
  };
}

function filters(call: Call): Record<string, Filter<Customer>> {
  return {
    ids: oneOf(({ id }) => id),
    externalIds: oneOf(({ externalId }) => externalId),
    name:
      ([value = '']) =>
      (customer) =>
        matchesName(call, customer, value),
    email:
      ([value = '']) =>
      ({ email }) =>
        email.toLowerCase().includes(value.toLowerCase()),
    phone: phoneFilter(call),
    sites: oneOf(({ site }) => site),
    managers: oneOf(({ managerId }) => managerId),
    vip: flag(({ vip }) => vip === true),
    bad: flag(({ bad }) => bad === true),
    isContact: flag(({ isContact }) => isContact === true),
    dateFrom: day(({ createdAt }) => createdAt, 'from'),
    dateTo: day(({ createdAt }) => createdAt, 'to'),
  };
}

export function getCustomers(call: Call): SandboxAnswer {
  const { world } = call;
  const page = pageOf(call);
  const keep = filtersOf(call, filters(call), NOT_HERE);
  const found = [...world.customers.values()]
    .filter(({ site }) => world.options.sites.includes(site))
    .filter(keep)
    .sort((a, b) => (world.options.listOrder === 'ascending' ? a.id - b.id : b.id - a.id));
  const { items, pagination } = paged(found, page);
  return ok({ pagination, customers: items.map((customer) => renderCustomer(world, customer)) });
}

/** The customer of the path. One that was merged is gone, and the 404 names who took its place: the next one, not the last. */
function customerOfPath(call: Call): Customer {
  const { world } = call;
  const key = call.params.key ?? '';
  const [byId, site] = byOf(call) === 'id' ? [true, ''] : [false, siteOf(call)];
  const found = byId ? world.customers.get(Number(key)) : customerByExternalId(world, key, site);
  if (found) return found;
  const merged = byId
    ? world.merged.get(Number(key))
    : [...world.merged.values()].find((one) => one.externalId === key && one.site === site);
  throw notFound(merged ? { combinedTo: { id: merged.into } } : {});
}

export function getCustomer(call: Call): SandboxAnswer {
  return ok({ customer: renderCustomer(call.world, customerOfPath(call)) });
}

export function postCustomer(call: Call): SandboxAnswer {
  const given = objectParameter(call, 'customer');
  const site = siteOf(call);
  demandNoFaults(customerFaults(call.world, given, site));
  return created({ id: createCustomer(call.world, given, site, 'api').id });
}

export function postCustomerEdit(call: Call): SandboxAnswer {
  const given = objectParameter(call, 'customer');
  siteOf(call);
  const customer = customerOfPath(call);
  demandNoFaults(customerFaults(call.world, given, customer.site, customer.id));
  editCustomer(call.world, customer, given, 'api');
  return ok({ id: customer.id });
}

/** One customer of an upload: its id, or what is wrong with it. */
function upload(call: Call, given: Fields, site: string): { id: number } | { faults: Faults } {
  const { world } = call;
  const externalId = typeof given.externalId === 'string' ? given.externalId : '';
  if (world.options.refusedInUpload.includes(externalId)) return { faults: { externalId: 'Refused by the account.' } };
  const taken = world.options.takenInUpload === 'updated' ? customerByExternalId(world, externalId, site) : undefined;
  const faults = customerFaults(world, given, site, taken?.id);
  if (Object.keys(faults).length > 0) return { faults };
  if (!taken) return { id: createCustomer(world, given, site, 'api').id };
  editCustomer(world, taken, given, 'api');
  return { id: taken.id };
}

/** 460 where some were not taken: the others are in, and both lists stand in the body. */
export function postCustomersUpload(call: Call): SandboxAnswer {
  const items = listParameter(call, 'customers', MOST_IN_BATCH);
  const site = siteOf(call);
  const uploadedCustomers: Fields[] = [];
  const failedCustomers: Fields[] = [];
  const errors: Faults = {};
  for (const [index, given] of items.entries()) {
    const named = given.externalId === undefined ? {} : { externalId: given.externalId };
    const done = upload(call, given, site);
    if ('id' in done) {
      uploadedCustomers.push({ id: done.id, ...named });
      continue;
    }
    failedCustomers.push(named);
    errors[String(index)] = Object.entries(done.faults)
      .map(([field, text]) => `${field}: ${text}`)
      .join(' ');
  }
  if (failedCustomers.length === 0) return created({ uploadedCustomers, failedCustomers });
  throw new RetailRefusal(460, 'Customers are loaded with errors', errors, { uploadedCustomers, failedCustomers });
}

/** Says yes at once and merges later; who wants to know how it went reads the history. */
export function postCombine(call: Call): SandboxAnswer {
  const { world } = call;
  const ids = listParameter(call, 'customers', MOST_IN_BATCH).map(({ id }) => Number(id));
  const result = Number(objectParameter(call, 'resultCustomer').id);
  if (ids.includes(result)) throw badEntity({ resultCustomer: 'This value is not valid.' });
  for (const id of [result, ...ids]) if (!world.customers.has(id)) throw notFound();
  world.later(world.options.combineDelayMs, () => mergeCustomers(world, ids, result, 'api'));
  return ok({});
}
