import { RemoteError } from '../../base/remote-error.ts';
import { type HistoryPage, historyOf } from './history.ts';
import { idsQuery, type ListPage, PAGE, pagesOf, rowsByIds } from './lists.ts';
import { type OnSend, orMissing, type Params, type Requests } from './requests.ts';
import {
  createdAnswer,
  doneAnswer,
  type OrderChangeWire,
  type OrderWire,
  orderAnswer,
  ordersAnswer,
  ordersHistoryAnswer,
  type TaskWire,
  tasksAnswer,
} from './schema.ts';
import { fromAccount } from './time.ts';
import { type OrderDraft, orderWire, type TaskDraft, taskWire } from './write.ts';

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

export interface RetailOrders {
  /** As `customersHistory`. */
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
  /** Marks a task as done; of one that is done already nothing changes. False where it was deleted. */
  completeTask(id: number, onSend?: OnSend): Promise<boolean>;
}

export function orderRequests(requests: Requests): RetailOrders {
  const { get, post, zone, odd, site } = requests;

  async function orderOf(wire: OrderWire, route: string): Promise<Order> {
    const { customer, number, ...rest } = wire;
    const createdAt = fromAccount(wire.createdAt, await zone());
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
    const inZone = await zone();
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

  async function createTask(task: TaskDraft, onSend?: OnSend): Promise<number> {
    const wire = taskWire(task, task.due === undefined ? 'UTC' : await zone(), site.site);
    const params = { ...site, task: JSON.stringify(wire) };
    return post({ route: 'tasks.create', path: '/api/v5/tasks/create', schema: createdAnswer, params }, onSend);
  }

  return {
    ordersHistory: (since) => historyOf(requests, 'orders', ordersHistoryAnswer, since),
    ordersByIds,
    orderByExternalId,
    createOrder: (draft, onSend) => {
      const params = { ...site, order: JSON.stringify(orderWire(draft)) };
      return post({ route: 'orders.create', path: '/api/v5/orders/create', schema: createdAnswer, params }, onSend);
    },
    tasksOf,
    createTask,
    completeTask: async (id, onSend) => {
      const params = { ...site, task: JSON.stringify({ complete: true }) };
      const given = {
        route: 'tasks.edit',
        path: `/api/v5/tasks/${id}/edit`,
        schema: doneAnswer,
        params,
        repeatable: true,
      };
      return !((await orMissing(post(given, onSend))) instanceof RemoteError);
    },
  };
}
