import { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Look, Outcome, Report } from '../../../domain/handler.ts';
import { maskPhone } from '../../../domain/phone.ts';
import type { TaskDraft } from '../write.ts';
import {
  customerIdOf,
  followMerge,
  noUserReport,
  type RetailEffectOptions,
  shownUser,
  userIdOf,
  usersOf,
} from './context.ts';
import { faultsOf, isOf } from './faults.ts';
import { asJson, retailKinds, type TaskPayload } from './payloads.ts';
import { taskFinder } from './task-find.ts';

const DAY_MS = 86_400_000;
/** Where the call's time is not told: a task is made at most so long before it is due. */
const LONGEST_DUE_MS = 31 * DAY_MS;
const MANAGER_MAX_AGE_MS = 5 * 60_000;

/** Who gets a task, and what is to be told of it. */
interface Performer {
  id: number | undefined;
  reports?: readonly Report[];
}

/** A task to call somebody back; its marker is how it is found again, since tasks have no key of their own. */
export function taskHandler(options: RetailEffectOptions): EffectHandler {
  const { enterprise, crm } = options;
  const finder = taskFinder(options);
  /** Who calls in vain calls again: one look-up serves all his tasks of a pass. */
  const managers = new Map<string, { at: number; id: number | undefined }>();

  /** RetailCRM wants somebody (`performerId` is required): the one asked for, the customer's manager, or the first who manages. */
  async function performerOf({ performer, phone, customerKey }: TaskPayload): Promise<Performer> {
    const asked = await userIdOf(options, performer);
    if (asked !== undefined) return { id: asked };
    const own = customerKey === undefined ? undefined : await managerOf(phone);
    const id = own ?? (await firstManager());
    if (performer !== undefined) {
      const instead = 'tasks go to the manager of the customer, or to the first manager of the account';
      return { id, reports: [noUserReport(enterprise, shownUser(performer) ?? '', 'tasks', instead)] };
    }
    if (own !== undefined) return { id };
    const message = `enterprise ${enterprise}: tasks that are nobody's go to the first manager of RetailCRM; name one in the mapping (missed.performer)`;
    return { id, reports: [{ kind: 'retail_user', subject: `${enterprise}:task`, message }] };
  }

  async function managerOf(phone: string): Promise<number | undefined> {
    const known = managers.get(phone);
    if (known !== undefined && +options.now() - known.at < MANAGER_MAX_AGE_MS) return known.id;
    const id = await askManager(phone);
    managers.set(phone, { at: +options.now(), id });
    return id;
  }

  async function askManager(phone: string): Promise<number | undefined> {
    try {
      return (await crm.managerByPhone(phone)).manager?.id;
    } catch (error) {
      // The key may lack the right to ask; the task is not lost for that.
      if (error instanceof RemoteError && error.outcome === 'refused' && error.code !== 'REMOTE_BUSY') return undefined;
      throw error;
    }
  }

  async function firstManager(): Promise<number | undefined> {
    const active = (await usersOf(options)).filter((user) => user.active).sort((a, b) => a.id - b.id);
    return (active.find(({ isManager }) => isManager) ?? active.find(({ isAdmin }) => isAdmin))?.id;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) outcomes.set(delivery.row.id, await sendOne(delivery, onSend));
    return outcomes;
  }

  async function sendOne(delivery: Delivery, onSend: () => Promise<void>): Promise<Outcome> {
    const payload = payloadOf(delivery);
    const { id, reports } = await performerOf(payload);
    const customerId = await customerIdOf(options, delivery);
    const task: TaskDraft = {
      text: payload.text,
      commentary: payload.marker,
      due: new Date(payload.due),
      phone: payload.phone,
      ...(id === undefined ? {} : { performerId: id }),
      ...(customerId === undefined ? {} : { customerId }),
    };
    try {
      const taskId = await crm.createTask(task, onSend);
      return { state: 'done', remoteId: String(taskId), ...(reports && { reports }) };
    } catch (error) {
      const amended = error instanceof RemoteError && error.status === 400 ? amend(payload, error) : undefined;
      if (amended === undefined) throw error;
      const isOfCustomer = payload.customerKey !== undefined && !('customerKey' in amended.rest);
      if (isOfCustomer && (await followMerge(options, payload.phone, customerId))) return { state: 'again' };
      return { state: 'amended', payload: asJson(amended.rest), alert: amended.alert };
    }
  }

  /** A task without its customer, or another's task, is better than none. */
  function amend(payload: TaskPayload, { answer }: RemoteError) {
    const faults = faultsOf(answer);
    const { customerKey, ...withoutCustomer } = payload;
    if (customerKey !== undefined && faults.some((fault) => isOf(fault, 'customer'))) {
      const message = `enterprise ${enterprise}: a customer is gone in RetailCRM; the task to call back goes with the phone alone`;
      return { rest: withoutCustomer, alert: { kind: 'retail_mapping', subject: `${enterprise}:customer`, message } };
    }
    const { performer, ...withoutPerformer } = payload;
    if (performer !== undefined && faults.some((fault) => isOf(fault, 'performer'))) {
      const message = `enterprise ${enterprise}: RetailCRM does not accept a user of the mapping for tasks; they go to another manager`;
      return { rest: withoutPerformer, alert: { kind: 'retail_user', subject: `${enterprise}:performer`, message } };
    }
    return undefined;
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const since = new Date(Math.min(...deliveries.map((delivery) => delivery.since.getTime())));
    const wanted = await Promise.all(
      deliveries.map(async (delivery) => {
        const customerId = await customerIdOf(options, delivery);
        return { row: delivery.row, marker: payloadOf(delivery).marker, customerId };
      }),
    );
    const found = await finder.find(wanted, since);
    return new Map(wanted.map(({ row, marker }): [number, Look] => [row.id, found(marker)]));
  }

  return {
    kind: retailKinds(enterprise).task,
    batch: 1,
    goesWithout: true,
    counts: 'created',
    hangsOn: (payload) => (payload as unknown as TaskPayload).customerKey ?? '',
    since: (payload) => earliestOf(payload as unknown as TaskPayload),
    send,
    look,
    describe: (payload) => describe(payload as unknown as TaskPayload),
  };
}

/** A day before the call, for the account's dates may be read in another zone than its own. */
function earliestOf({ calledAt, due }: TaskPayload): Date {
  return new Date(calledAt === undefined ? Date.parse(due) - LONGEST_DUE_MS : Date.parse(calledAt) - DAY_MS);
}

function describe({ text, marker, due, phone, performer }: TaskPayload): Record<string, Json> {
  const [shown, hidden] = [maskPhone(phone), text.replaceAll(phone, maskPhone(phone))];
  return { text: hidden, commentary: marker, due, phone: shown, performer: shownUser(performer) };
}

function payloadOf({ row }: Delivery): TaskPayload {
  return row.payload as unknown as TaskPayload;
}
