import { usageError } from '../../base/errors.ts';
import { createCustomer, customerFaults, editCustomer, mergeCustomers, removeCustomer } from './customer-write.ts';
import type { Actor, Customer, Fields, Order, User } from './model.ts';
import { applyModule } from './modules.ts';
import { createOrder, editOrder, orderFaults, removeOrder } from './orders.ts';
import { type Faults, RetailRefusal } from './wire.ts';
import type { World } from './world.ts';

/** A change behind the client's back. `by` is a person where nothing else is said. */
export interface RetailEdit {
  kind: 'customer' | 'order';
  id: number;
  set: Fields;
  by?: Actor;
}

/** Content in RetailCRM's own words. Customers and orders may bring `id` and `site`; a person made them, so the history says. */
export interface RetailcrmSeed {
  users?: (Partial<User> & { id: number })[];
  customers?: Fields[];
  orders?: Fields[];
  /** By code; what is left out of name, logo, baseUrl and clientId is made up. */
  modules?: Record<string, Fields>;
  edit?: RetailEdit;
  remove?: { customer?: number; order?: number };
  merge?: { customers: number[]; into: number };
}

const SEEDS = ['users', 'customers', 'orders', 'modules', 'edit', 'remove', 'merge'];

function demand(what: string, faults: Faults): void {
  const [fault] = Object.entries(faults);
  if (fault) throw usageError(`RetailCRM stand-in: ${what}, ${fault[0]}: ${fault[1]}`);
}

/** What is put in with an id of its own, and the store it belongs to. */
function placed(world: World, given: Fields): { id: number | undefined; site: string; fields: Fields } {
  const { id, site, ...fields } = given;
  const first = world.options.sites[0] ?? 'shop';
  return { id: id === undefined ? undefined : Number(id), site: site === undefined ? first : String(site), fields };
}

function addUser(world: World, given: Partial<User> & { id: number }): void {
  world.users.set(given.id, {
    active: true,
    email: `manager${given.id}@retail.example`,
    firstName: 'Менеджер',
    lastName: String(given.id),
    isAdmin: false,
    isManager: true,
    status: 'free',
    online: true,
    createdAt: world.localNow(),
    ...given,
  });
}

function addModule(world: World, code: string, given: Fields): void {
  const base = 'https://bridge.example';
  const made = { name: code, logo: `${base}/logo.svg`, baseUrl: base, clientId: `client-of-${code}` };
  try {
    applyModule(world, code, { ...made, ...given });
  } catch (error) {
    if (error instanceof RetailRefusal) demand(`module ${code}`, error.errors ?? {});
    throw error;
  }
}

function customerOr(world: World, id: number): Customer {
  const customer = world.customers.get(id);
  if (!customer) throw usageError(`RetailCRM stand-in: no customer ${id}`);
  return customer;
}

function orderOr(world: World, id: number): Order {
  const order = world.orders.get(id);
  if (!order) throw usageError(`RetailCRM stand-in: no order ${id}`);
  return order;
}

export function applyEdit(world: World, { kind, id, set, by = 'user' }: RetailEdit): void {
  if (kind === 'customer') {
    const customer = customerOr(world, id);
    demand(`customer ${id}`, customerFaults(world, set, customer.site, id));
    editCustomer(world, customer, set, by);
    return;
  }
  const order = orderOr(world, id);
  demand(`order ${id}`, orderFaults(world, set, order.site));
  editOrder(world, order, set, by);
}

export function seedWorld(world: World, content: RetailcrmSeed): void {
  const unknown = Object.keys(content).filter((key) => !SEEDS.includes(key));
  if (unknown.length > 0) throw usageError(`RetailCRM stand-in: unknown seed ${unknown.join(', ')}`);
  for (const user of content.users ?? []) addUser(world, user);
  for (const given of content.customers ?? []) {
    const { id, site, fields } = placed(world, given);
    demand('customer', customerFaults(world, fields, site));
    createCustomer(world, fields, site, 'user', id);
  }
  for (const given of content.orders ?? []) {
    const { id, site, fields } = placed(world, given);
    demand('order', orderFaults(world, fields, site));
    createOrder(world, fields, site, 'user', id);
  }
  for (const [code, given] of Object.entries(content.modules ?? {})) addModule(world, code, given);
  if (content.edit) applyEdit(world, content.edit);
  const { customer, order } = content.remove ?? {};
  if (customer !== undefined) removeCustomer(world, customerOr(world, customer), 'user');
  if (order !== undefined) removeOrder(world, orderOr(world, order), 'user');
  if (content.merge) {
    const { customers, into } = content.merge;
    for (const id of [into, ...customers]) customerOr(world, id);
    mergeCustomers(world, customers, into, 'user');
  }
}
