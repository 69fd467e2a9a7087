import type { SandboxAnswer } from '../kit.ts';
import {
  getCustomer,
  getCustomers,
  postCombine,
  postCustomer,
  postCustomerEdit,
  postCustomersUpload,
} from './customers.ts';
import { getHistory } from './history.ts';
import { getModule, postModuleEdit } from './modules.ts';
import { getOrder, getOrders, postOrder } from './orders.ts';
import { getApiVersions, getCredentials, getReference, getSettings, getUser, getUsers } from './reference.ts';
import { getTasks, postTask, postTaskEdit } from './tasks.ts';
import { getManager, postCallsUpload, postEvent } from './telephony.ts';
import type { Call } from './wire.ts';

export interface Route {
  method: string;
  pattern: RegExp;
  /** What the key must be allowed; empty where every key may. */
  scope: string;
  handler: (call: Call) => SandboxAnswer;
}

/** `{key}` stands for one part of the path. */
function route(line: string, scope: string, handler: Route['handler']): Route {
  const [method = '', path = ''] = line.split(' ');
  return { method, pattern: new RegExp(`^/api/${path.replace('{key}', '(?<key>[^/]+)')}$`), scope, handler };
}

/** The first that fits is taken, so fixed names stand before `{key}`. */
export const ROUTES: readonly Route[] = [
  route('GET api-versions', '', getApiVersions),
  route('GET credentials', '', getCredentials),
  route('GET v5/settings', '', getSettings),
  route('GET v5/users', 'user_read', getUsers),
  route('GET v5/users/{key}', 'user_read', getUser),
  route('GET v5/reference/(?<key>sites|statuses|status-groups|order-methods)', 'reference_read', getReference),
  route('GET v5/customers', 'customer_read', getCustomers),
  route('GET v5/customers/history', 'customer_read', getHistory('customers')),
  route('POST v5/customers/create', 'customer_write', postCustomer),
  route('POST v5/customers/upload', 'customer_write', postCustomersUpload),
  route('POST v5/customers/combine', 'customer_write', postCombine),
  route('GET v5/customers/{key}', 'customer_read', getCustomer),
  route('POST v5/customers/{key}/edit', 'customer_write', postCustomerEdit),
  route('GET v5/orders', 'order_read', getOrders),
  route('GET v5/orders/history', 'order_read', getHistory('orders')),
  route('POST v5/orders/create', 'order_write', postOrder),
  route('GET v5/orders/{key}', 'order_read', getOrder),
  route('GET v5/tasks', 'task_read', getTasks),
  route('POST v5/tasks/create', 'task_write', postTask),
  route('POST v5/tasks/{key}/edit', 'task_write', postTaskEdit),
  route('POST v5/telephony/call/event', 'telephony_write', postEvent),
  route('POST v5/telephony/calls/upload', 'telephony_write', postCallsUpload),
  route('GET v5/telephony/manager', 'telephony_read', getManager),
  route('GET v5/integration-modules/{key}', 'integration_read', getModule),
  route('POST v5/integration-modules/{key}/edit', 'integration_write', postModuleEdit),
];
