import { isDeepStrictEqual } from 'node:util';
import * as check from './checks.ts';
import { type Actor, asFields, type Customer, type Fields, type Phone, snakeCase } from './model.ts';
import type { Faults } from './wire.ts';
import type { World } from './world.ts';

const WRITABLE: Readonly<Record<string, check.Check>> = {
  type: check.choice('customer'),
  externalId: check.filled,
  isContact: check.yesNo,
  createdAt: check.dateTime,
  managerId: check.user,
  vip: check.yesNo,
  bad: check.yesNo,
  firstName: check.text,
  lastName: check.text,
  patronymic: check.text,
  sex: check.choice('male', 'female'),
  email: check.text,
  phones: check.phones,
  address: check.map,
  addTags: check.texts,
  removeTags: check.texts,
  customFields: check.map,
  source: check.map,
  contragent: check.map,
};

export function renderCustomer(world: World, customer: Customer): Fields {
  return { ...structuredClone(customer), customFields: world.phpMap(customer.customFields) };
}

/** As the history names a customer that was changed. */
export function shortCustomer({ id, externalId, site }: { id: number; externalId?: string; site: string }): Fields {
  return { id, ...(externalId === undefined ? {} : { externalId }), site };
}

export function customerByExternalId(world: World, externalId: string, site: string): Customer | undefined {
  const id = world.book.byExternalId(externalId, site);
  return id === undefined ? undefined : world.customers.get(id);
}

/** Whose number it is, however it is spelt; of several the oldest. Where `site` is given, of that store alone. */
export function customerByPhone(world: World, phone: string, site?: string): Customer | undefined {
  const found = world.book.byPhone(phone).map((id) => world.customers.get(id));
  return found.find((one) => one !== undefined && (site === undefined || one.site === site));
}

/** Faults of a customer to be made or changed; the text for a taken externalId is a guess. */
export function customerFaults(world: World, given: Fields, site: string, own?: number): Faults {
  const faults = check.faultsOf(WRITABLE, given, world);
  if (typeof given.externalId === 'string') {
    const taken = customerByExternalId(world, given.externalId, site);
    if (taken && taken.id !== own) faults.externalId = 'Customer with this externalId already exists.';
  }
  return faults;
}

function noise(world: World, customer: Customer): void {
  for (let nth = 0; nth < world.options.segmentNoise; nth++) {
    const newValue = { code: `recalculated-${nth}`, isDynamic: true };
    world.log('customers', 'code', { field: 'segments', oldValue: null, newValue, customer: shortCustomer(customer) });
  }
}

/** Tags are written as two lists of names and kept as one of objects. */
function tagsAfter(tags: Customer['tags'], given: Fields): Customer['tags'] {
  const add = (given.addTags ?? []) as string[];
  const remove = (given.removeTags ?? []) as string[];
  const names = new Set([...tags.map(({ name }) => name), ...add].filter((name) => !remove.includes(name)));
  return [...names].map((name) => ({ name }));
}

function phonesOf(given: unknown): Phone[] {
  return ((given ?? []) as Phone[]).map(({ number }) => ({ number }));
}

/** A field of its own on the history's terms: the manager is an object there, a reference is its code. */
function historyValue(field: string, value: unknown): unknown {
  if (value === undefined) return null;
  return field === 'managerId' && value !== null ? { id: value } : value;
}

/** Makes a customer of fields that were found without fault. The id may be given, as seeds do. */
export function createCustomer(world: World, given: Fields, site: string, by: Actor, givenId?: number): Customer {
  const { addTags, removeTags, customFields, phones, ...fields } = given;
  const id = givenId ?? world.nextId('customers');
  world.raiseId('customers', id);
  const customer: Customer = {
    isContact: false,
    vip: false,
    bad: false,
    ordersCount: 0,
    totalSumm: 0,
    email: '',
    createdAt: world.localNow(),
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
    id,
    type: 'customer',
    site,
    phones: phonesOf(phones),
    tags: tagsAfter([], { addTags, removeTags }),
    customFields: { ...asFields(customFields) },
  };
  world.customers.set(id, customer);
  world.book.put(customer);
  const full = renderCustomer(world, customer);
  world.log(
    'customers',
    by,
    { created: true, field: 'id', oldValue: null, newValue: id, customer: full },
    customer.createdAt,
  );
  noise(world, customer);
  return customer;
}

function changePhones(world: World, customer: Customer, given: Phone[], by: Actor): void {
  const before = customer.phones;
  const has = (phones: Phone[], { number }: Phone) => phones.some((one) => one.number === number);
  const added = given.filter((phone) => !has(before, phone));
  const append = world.options.phonesOnEdit === 'append' && by !== 'user';
  const gone = append ? [] : before.filter((phone) => !has(given, phone));
  customer.phones = append ? [...before, ...added] : given;
  world.book.put(customer);
  for (let nth = 0; nth < Math.max(added.length, gone.length); nth++) {
    world.log('customers', by, {
      field: 'phones',
      oldValue: gone[nth]?.number ?? null,
      newValue: added[nth]?.number ?? null,
      customer: shortCustomer(customer),
    });
  }
}

/** Puts fields that were found without fault into a customer; the history gets an entry for each that changed. */
export function editCustomer(world: World, customer: Customer, given: Fields, by: Actor): void {
  const { addTags, removeTags, phones, ...fields } = given;
  const put = (holder: Fields, key: string, field: string, value: unknown) => {
    const before = holder[key];
    if (isDeepStrictEqual(before ?? null, value ?? null)) return;
    if (value === null || value === undefined) delete holder[key];
    else holder[key] = value;
    const values = { oldValue: historyValue(key, before), newValue: historyValue(key, value) };
    world.log('customers', by, { field, ...values, customer: shortCustomer(customer) });
  };
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'customFields') {
      for (const [code, inner] of Object.entries(asFields(value) ?? {})) {
        put(customer.customFields, code, `custom_${code}`, inner);
      }
    } else if (name === 'address') {
      const address = { ...asFields(customer.address) };
      customer.address = address;
      for (const [part, inner] of Object.entries(asFields(value) ?? {})) {
        put(address, part, `address.${snakeCase(part)}`, inner);
      }
    } else put(customer, name, name === 'managerId' ? 'manager' : snakeCase(name), value);
  }
  if (customer.email === undefined) customer.email = '';
  if (phones !== undefined) changePhones(world, customer, phonesOf(phones), by);
  customer.tags = tagsAfter(customer.tags, { addTags, removeTags });
  world.book.put(customer);
  noise(world, customer);
}

export function removeCustomer(world: World, customer: Customer, by: Actor, into?: Customer): void {
  world.customers.delete(customer.id);
  world.book.drop(customer.id);
  world.log('customers', by, {
    deleted: true,
    field: 'id',
    oldValue: customer.id,
    newValue: null,
    customer: shortCustomer(customer),
    ...(into === undefined ? {} : { combinedTo: { id: into.id } }),
  });
}

/**
 * Makes several customers one: the others vanish, and their numbers, orders, calls and what the result lacks go over to it. Ids
 * that are no more when it comes to it are passed over.
 */
export function mergeCustomers(world: World, ids: readonly number[], resultId: number, by: Actor): void {
  const result = world.customers.get(resultId);
  if (!result) return;
  for (const id of ids) {
    const customer = world.customers.get(id);
    if (!customer || id === resultId) continue;
    const { externalId, site } = customer;
    world.merged.set(id, { id, into: resultId, site, ...(externalId === undefined ? {} : { externalId }) });
    removeCustomer(world, customer, by, result);
    changePhones(
      world,
      result,
      [...new Map([...result.phones, ...customer.phones].map((p) => [p.number, p])).values()],
      by,
    );
    for (const field of ['firstName', 'lastName', 'patronymic', 'email', 'managerId']) {
      if (!result[field] && customer[field]) result[field] = customer[field];
    }
    for (const order of world.orders.values()) if (order.customerId === id) order.customerId = resultId;
    for (const call of world.calls) if (call.customerId === id) call.customerId = resultId;
  }
}
