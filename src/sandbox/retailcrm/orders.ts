import type { SandboxAnswer } from '../kit.ts';
import * as check from './checks.ts';
import { createCustomer, customerByExternalId, customerByPhone, renderCustomer } from './customer-write.ts';
import { type Actor, asFields, type Customer, digitsOf, type Fields, type Order, snakeCase } from './model.ts';
import { ORDER_METHODS, STATUSES } from './reference.ts';
import {
  byOf,
  type Call,
  created,
  day,
  demandNoFaults,
  type Faults,
  type Filter,
  filtersOf,
  flag,
  notFound,
  objectParameter,
  ok,
  oneOf,
  paged,
  pageOf,
  siteOf,
} from './wire.ts';
import type { World } from './world.ts';

/** Filters that RetailCRM has and the stand-in has not. */
const NOT_HERE = [
  ...['managerGroups', 'orderTypes', 'statusUpdatedAtFrom', 'statusUpdatedAtTo', 'fullPaidAtFrom', 'fullPaidAtTo'],
  ...['minPrice', 'maxPrice', 'sourceName', 'customFields', 'customerExternalId', 'email'],
];

const WRITABLE: Readonly<Record<string, check.Check>> = {
  externalId: check.filled,
  number: check.filled,
  createdAt: check.dateTime,
  status: check.choice(...Object.keys(STATUSES)),
  orderMethod: check.choice(...Object.keys(ORDER_METHODS)),
  orderType: check.choice('eshop-individual'),
  managerId: check.user,
  firstName: check.text,
  lastName: check.text,
  patronymic: check.text,
  phone: check.text,
  additionalPhone: check.text,
  email: check.text,
  call: check.yesNo,
  customer: check.map,
  customerComment: check.text,
  managerComment: check.text,
  source: check.map,
  items: check.list,
  customFields: check.map,
};

export function renderOrder(world: World, order: Order): Fields {
  const { customerId, ...fields } = structuredClone(order);
  const customer = customerId === undefined ? undefined : world.customers.get(customerId);
  return {
    ...fields,
    ...(customer ? { customer: renderCustomer(world, customer) } : {}),
    customFields: world.phpMap(order.customFields),
    payments: world.phpMap({}),
  };
}

/** As the history names an order that was changed. */
function shortOrder({ id, externalId, managerId, site, status }: Order): Fields {
  const optional = {
    ...(externalId === undefined ? {} : { externalId }),
    ...(managerId === undefined ? {} : { managerId }),
  };
  return { id, ...optional, site, status };
}

function phoneOrName(value: string, world: World): (order: Order) => boolean {
  const needle = value.toLowerCase();
  const digits = digitsOf(value);
  return (order) => {
    const customer = order.customerId === undefined ? undefined : world.customers.get(order.customerId);
    const phones = [String(order.phone ?? ''), ...(customer?.phones ?? []).map(({ number }) => number)];
    const name = `${order.lastName ?? ''} ${order.firstName ?? ''}`.toLowerCase();
    return name.includes(needle) || (digits !== '' && phones.some((phone) => digitsOf(phone).includes(digits)));
  };
}

function filters({ world }: Call): Record<string, Filter<Order>> {
  return {
    ids: oneOf(({ id }) => id),
    externalIds: oneOf(({ externalId }) => externalId),
    numbers: oneOf(({ number }) => number),
    customerId: oneOf(({ customerId }) => customerId),
    customer: ([value = '']) => phoneOrName(value, world),
    managers: oneOf(({ managerId }) => managerId),
    extendedStatus: oneOf(({ status }) => status),
    orderMethods: oneOf(({ orderMethod }) => orderMethod),
    sites: oneOf(({ site }) => site),
    call: flag(({ call }) => call === true),
    createdAtFrom: day(({ createdAt }) => createdAt, 'from'),
    createdAtTo: day(({ createdAt }) => createdAt, 'to'),
  };
}

export function getOrders(call: Call): SandboxAnswer {
  const { world } = call;
  const page = pageOf(call);
  const keep = filtersOf(call, filters(call), NOT_HERE);
  const found = [...world.orders.values()]
    .filter(({ site }) => world.options.sites.includes(site))
    .filter(keep)
    .sort((a, b) => (world.options.listOrder === 'ascending' ? a.id - b.id : b.id - a.id));
  const { items, pagination } = paged(found, page);
  return ok({ pagination, orders: items.map((order) => renderOrder(world, order)) });
}

function orderByExternalId(world: World, externalId: string, site: string): Order | undefined {
  return [...world.orders.values()].find((one) => one.externalId === externalId && one.site === site);
}

export function getOrder(call: Call): SandboxAnswer {
  const { world } = call;
  const key = call.params.key ?? '';
  const order = byOf(call) === 'id' ? world.orders.get(Number(key)) : orderByExternalId(world, key, siteOf(call));
  if (!order) throw notFound();
  return ok({ order: renderOrder(world, order) });
}

function namedCustomer(world: World, given: Fields, site: string): Customer | undefined {
  if (given.id !== undefined) return world.customers.get(Number(given.id));
  return customerByExternalId(world, String(given.externalId), String(given.site ?? site));
}

/** Faults of an order to be made or changed; the text for a taken externalId is a guess. */
export function orderFaults(world: World, given: Fields, site: string): Faults {
  const faults = check.faultsOf(WRITABLE, given, world);
  if (typeof given.externalId === 'string' && orderByExternalId(world, given.externalId, site)) {
    faults.externalId = 'Order with this externalId already exists.';
  }
  const customer = asFields(given.customer);
  if (customer && !namedCustomer(world, customer, site)) faults.customer = 'Customer does not exist.';
  return faults;
}

/** An order that names no customer gets one with its phone, else a new one; RetailCRM's own rule is not known. */
function customerFor(world: World, given: Fields, site: string, by: Actor): Customer | undefined {
  const named = asFields(given.customer);
  if (named) return namedCustomer(world, named, site);
  const phone = given.phone;
  if (typeof phone !== 'string' || phone === '') return undefined;
  const known = customerByPhone(world, phone, site);
  return known ?? createCustomer(world, { firstName: given.firstName ?? phone, phones: [{ number: phone }] }, site, by);
}

/** What the goods come to; an order without any is worth nothing. */
function totalsOf(items: unknown): { summ: number; totalSumm: number } {
  const lines = (Array.isArray(items) ? items : []).map((item) => asFields(item) ?? {});
  const summ = lines.reduce(
    (sum, { initialPrice = 0, quantity = 1 }) => sum + Number(initialPrice) * Number(quantity),
    0,
  );
  return { summ, totalSumm: summ };
}

/** Makes an order of fields that were found without fault. The id may be given, as seeds do. */
export function createOrder(world: World, given: Fields, site: string, by: Actor, givenId?: number): Order {
  const owner = customerFor(world, given, site, by);
  const id = givenId ?? world.nextId('orders');
  world.raiseId('orders', id);
  const { customer, customFields, ...fields } = given;
  const createdAt = typeof given.createdAt === 'string' ? given.createdAt : world.localNow();
  const order: Order = {
    number: `${id}A`,
    orderType: 'eshop-individual',
    orderMethod: 'shopping-cart',
    status: 'new',
    items: [],
    call: false,
    expired: false,
    ...totalsOf(given.items),
    fromApi: by === 'api' || by === 'otherKey',
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
    id,
    site,
    createdAt,
    statusUpdatedAt: createdAt,
    ...(owner ? { customerId: owner.id } : {}),
    customFields: { ...asFields(customFields) },
  };
  world.orders.set(id, order);
  if (owner) owner.ordersCount = Number(owner.ordersCount) + 1;
  const newValue = { code: order.status };
  const full = renderOrder(world, order);
  world.log('orders', by, { created: true, field: 'status', oldValue: null, newValue, order: full }, createdAt);
  return order;
}

const WRAPPED: Readonly<Record<string, { field: string; key: string | undefined }>> = {
  status: { field: 'status', key: 'code' },
  orderMethod: { field: 'order_method', key: 'code' },
  items: { field: 'order_product', key: undefined },
  managerId: { field: 'manager', key: 'id' },
};

function changeOwner(world: World, order: Order, given: Fields | undefined, by: Actor): void {
  const owner = given && namedCustomer(world, given, order.site);
  if (!owner || owner.id === order.customerId) return;
  const oldValue = order.customerId === undefined ? null : { id: order.customerId };
  order.customerId = owner.id;
  const change = { field: 'customer', oldValue, newValue: { id: owner.id } };
  world.log('orders', by, { ...change, order: shortOrder(order) });
}

export function removeOrder(world: World, order: Order, by: Actor): void {
  world.orders.delete(order.id);
  const change = { deleted: true, field: 'id', oldValue: order.id, newValue: null } as const;
  world.log('orders', by, { ...change, order: shortOrder(order) });
}

/** Changes an order; the history gets an entry for each field that was changed. */
export function editOrder(world: World, order: Order, given: Fields, by: Actor): void {
  for (const [name, value] of Object.entries(given)) {
    if (name === 'customFields' || order[name] === value) continue;
    if (name === 'customer') {
      changeOwner(world, order, asFields(value), by);
      continue;
    }
    const { field, key } = WRAPPED[name] ?? { field: snakeCase(name), key: undefined };
    const shown = (one: unknown) => (one === undefined || key === undefined ? (one ?? null) : { [key]: one });
    const values = { oldValue: shown(order[name]), newValue: shown(value) };
    order[name] = value;
    if (name === 'items') Object.assign(order, totalsOf(value));
    if (name === 'status') order.statusUpdatedAt = world.localNow();
    world.log('orders', by, { field, ...values, order: shortOrder(order) });
  }
}

export function postOrder(call: Call): SandboxAnswer {
  const given = objectParameter(call, 'order');
  const site = siteOf(call);
  demandNoFaults(orderFaults(call.world, given, site));
  const order = createOrder(call.world, given, site, 'api');
  return created({ id: order.id, order: renderOrder(call.world, order) });
}
