import { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import { maskPhone } from '../../../domain/phone.ts';
import type { OrderDraft } from '../write.ts';
import { customerIdOf, followMerge, noUserReport, type RetailEffectOptions, shownUser, userIdOf } from './context.ts';
import { faultsOf, isOf } from './faults.ts';
import { asJson, type OrderPayload, retailKinds } from './payloads.ts';

/** Details that an order may go without, as RetailCRM names them and as people do. */
const DISPENSABLE = [
  { key: 'method', field: 'orderMethod', words: 'the order method' },
  { key: 'status', field: 'status', words: 'the order status' },
  { key: 'manager', field: 'manager', words: 'a manager' },
  { key: 'customerKey', field: 'customer', words: 'a customer (deleted there?)' },
] as const;

/** A draft order that stands for a missed call. */
export function orderHandler(options: RetailEffectOptions): EffectHandler {
  const { enterprise, crm } = options;
  /** Looked for in vain by this run, which alone may make them: not to be asked for a second time. */
  const absent = new Set<string>();

  async function standing(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const found = new Map<number, Found>();
    for (const delivery of deliveries) {
      const { externalId } = payloadOf(delivery);
      const order = absent.has(externalId) ? undefined : await crm.orderByExternalId(externalId);
      if (order) found.set(delivery.row.id, { remoteId: String(order.id) });
    }
    return found;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) outcomes.set(delivery.row.id, await sendOne(delivery, onSend));
    return outcomes;
  }

  async function sendOne(delivery: Delivery, onSend: () => Promise<void>): Promise<Outcome> {
    const payload = payloadOf(delivery);
    const managerId = await userIdOf(options, payload.manager);
    const customerId = await customerIdOf(options, delivery);
    try {
      const remoteId = String(await crm.createOrder(draftOf(delivery, { managerId, customerId }), onSend));
      if (payload.manager === undefined || managerId !== undefined) return { state: 'done', remoteId };
      const report = noUserReport(enterprise, shownUser(payload.manager) ?? '', 'orders', 'they go without a manager');
      return { state: 'done', remoteId, reports: [report] };
    } catch (error) {
      if (!(error instanceof RemoteError) || error.status !== 400) throw error;
      const outcome = await afterRefusal(delivery, error, customerId);
      if (outcome === undefined) throw error;
      return outcome;
    }
  }

  /** The external id may be taken by now; how RetailCRM says so is not documented. */
  async function afterRefusal(
    delivery: Delivery,
    error: RemoteError,
    customerId: number | undefined,
  ): Promise<Outcome | undefined> {
    const payload = payloadOf(delivery);
    const faults = faultsOf(error.answer);
    // `customerComment` begins like the customer, and is none.
    const isToBlame = (field: string) =>
      faults.some((fault) => isOf(fault, field) && !(field === 'customer' && isOf(fault, 'customerComment')));
    const out = DISPENSABLE.find(({ key, field }) => payload[key] !== undefined && isToBlame(field));
    if (out === undefined) {
      const order = await crm.orderByExternalId(payload.externalId);
      return order && { state: 'done', remoteId: String(order.id) };
    }
    if (out.key === 'customerKey' && (await followMerge(options, payload.phone, customerId))) return { state: 'again' };
    const { [out.key]: _out, ...rest } = payload;
    const message = `enterprise ${enterprise}: RetailCRM does not accept ${out.words} of the mapping; draft orders go without`;
    const alert = { kind: 'retail_mapping', subject: `${enterprise}:${out.field}`, message };
    return { state: 'amended', payload: asJson(rest as OrderPayload), alert };
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const found = await standing(deliveries);
    return new Map(
      deliveries.map(({ row }): [number, Look] => {
        const order = found.get(row.id);
        // Of one that was sent the answer may only be late; it is looked for each time.
        if (!order && row.sentAt === null) absent.add((row.payload as unknown as OrderPayload).externalId);
        return [row.id, order ? { state: 'found', ...order } : { state: 'absent' }];
      }),
    );
  }

  return {
    kind: retailKinds(enterprise).order,
    batch: 1,
    goesWithout: true,
    counts: 'created',
    known: standing,
    send,
    look,
    describe: (payload) => describe(payload as unknown as OrderPayload),
  };
}

interface Ids {
  managerId: number | undefined;
  customerId: number | undefined;
}

function draftOf(delivery: Delivery, { managerId, customerId }: Ids): OrderDraft {
  const { externalId, firstName, phone, comment, method, status } = payloadOf(delivery);
  return {
    externalId,
    firstName,
    phone,
    customerComment: comment,
    ...(method === undefined ? {} : { orderMethod: method }),
    ...(status === undefined ? {} : { status }),
    ...(managerId === undefined ? {} : { managerId }),
    ...(customerId === undefined ? {} : { customerId }),
  };
}

function describe(payload: OrderPayload): Record<string, Json> {
  const { phone, firstName, comment, manager, method, status } = payload;
  const name = firstName.replace(/\D/g, '').length >= 7 ? maskPhone(phone) : firstName;
  const details = { method: method ?? null, status: status ?? null, manager: shownUser(manager) };
  return { phone: maskPhone(phone), firstName: name, comment: comment.replaceAll(phone, maskPhone(phone)), ...details };
}

function payloadOf({ row }: Delivery): OrderPayload {
  return row.payload as unknown as OrderPayload;
}
