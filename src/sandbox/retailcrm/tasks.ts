import type { SandboxAnswer } from '../kit.ts';
import * as check from './checks.ts';
import { customerByExternalId } from './customer-write.ts';
import { asFields, type Fields, type Task } from './model.ts';
import {
  badEntity,
  badInput,
  type Call,
  created,
  demandNoFaults,
  type Filter,
  filtersOf,
  notFound,
  objectParameter,
  ok,
  oneOf,
  paged,
  pageOf,
  siteOf,
} from './wire.ts';

const WRITABLE: Readonly<Record<string, check.Check>> = {
  text: check.filled,
  commentary: check.text,
  datetime: check.dateMinute,
  performerId: check.user,
  customer: check.map,
  order: check.map,
  phone: check.text,
  phoneSite: check.text,
};

const FILTERS: Record<string, Filter<Task>> = {
  performers: oneOf(({ performer }) => performer),
  customer: oneOf(({ customer }) => customer?.id),
  status: ([value = ''], name) => {
    if (value !== 'completed' && value !== 'performing') throw badInput(name, 'The value you selected is not valid.');
    return ({ complete }) => complete === (value === 'completed');
  },
};

/** The customer of a task: by id, or by externalId and its store. */
function customerOf(call: Call, given: unknown, site: string): { id: number } | undefined {
  const named = asFields(given);
  if (!named) return undefined;
  const { customers } = call.world;
  const found =
    named.id === undefined
      ? customerByExternalId(call.world, String(named.externalId), String(named.site ?? site))
      : customers.get(Number(named.id));
  if (!found) throw badEntity({ customer: 'Customer does not exist.' });
  return { id: found.id };
}

function orderOf(call: Call, given: unknown): { id: number } | undefined {
  const named = asFields(given);
  if (!named) return undefined;
  const orders = [...call.world.orders.values()];
  const found = orders.find(({ id, externalId }) =>
    named.id === undefined ? externalId !== undefined && externalId === named.externalId : id === named.id,
  );
  if (!found) throw badEntity({ order: 'Order does not exist.' });
  return { id: found.id };
}

/** Tasks have no externalId: the same one asked for twice is there twice. */
export function postTask(call: Call): SandboxAnswer {
  const { world } = call;
  const given = objectParameter(call, 'task');
  const site = siteOf(call);
  demandNoFaults(check.faultsOf(WRITABLE, given, world, ['text', 'performerId']));
  const customer = customerOf(call, given.customer, site);
  const order = orderOf(call, given.order);
  const { performerId, customer: _customer, order: _order, ...fields } = given;
  const task = {
    ...fields,
    id: world.nextId('tasks'),
    createdAt: world.localNow(),
    complete: false,
    performer: Number(performerId),
    performerType: 'user',
    site,
    ...(customer ? { customer } : {}),
    ...(order ? { order } : {}),
  } as Fields & Task;
  world.tasks.set(task.id, task);
  return created({ id: task.id });
}

/** Of a task that stands there `complete` alone can be changed here. */
export function postTaskEdit(call: Call): SandboxAnswer {
  const task = call.world.tasks.get(Number(call.params.key));
  if (!task) throw notFound();
  const given = objectParameter(call, 'task');
  demandNoFaults(check.faultsOf({ ...WRITABLE, complete: check.yesNo }, given, call.world, []));
  if (given.complete === true) task.complete = true;
  return ok({ id: task.id });
}

export function getTasks(call: Call): SandboxAnswer {
  const page = pageOf(call);
  const keep = filtersOf(call, FILTERS, ['dateFrom', 'dateTo', 'order', 'text', 'creators', 'type']);
  const { items, pagination } = paged([...call.world.tasks.values()].filter(keep), page);
  return ok({ pagination, tasks: structuredClone(items) });
}
