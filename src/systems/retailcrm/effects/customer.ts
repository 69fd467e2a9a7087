import { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import { maskPhone } from '../../../domain/phone.ts';
import { LARGEST_UPLOAD } from '../lists.ts';
import { phonesTyped } from '../phones.ts';
import type { Customer } from '../schema.ts';
import { noUserReport, type RetailEffectOptions, shownUser, userIdsOf } from './context.ts';
import { customerFinder } from './customer-find.ts';
import { faultsOf, isOf } from './faults.ts';
import { asJson, type CustomerPayload, retailKeys, retailKinds } from './payloads.ts';

/** The customer who has a phone, found or made. */
export function customerHandler(options: RetailEffectOptions): EffectHandler {
  const { enterprise, crm, memory, country } = options;
  const finder = customerFinder(options);

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const owners = await finder.find(deliveries.map((delivery) => payloadOf(delivery).phone));
    return new Map(
      deliveries.flatMap((delivery): [number, Found][] => {
        const id = owners.get(payloadOf(delivery).phone);
        return id === undefined ? [] : [[delivery.row.id, { remoteId: String(id) }]];
      }),
    );
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const idOf = await userIdsOf(
      options,
      deliveries.map((delivery) => payloadOf(delivery).manager),
    );
    const drafts = deliveries.map((delivery) => {
      const { externalId, firstName, phone, manager } = payloadOf(delivery);
      const managerId = idOf(manager);
      return { externalId, firstName, phones: [phone], ...(managerId === undefined ? {} : { managerId }) };
    });
    const { uploaded, failed } = await crm.uploadCustomers(drafts, onSend);
    const ids = new Map(uploaded.map(({ externalId, id }) => [externalId, id]));
    const reasons = new Map(failed.map(({ externalId, reason }) => [externalId, reason]));
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) {
      const payload = payloadOf(delivery);
      const [id, reason] = [ids.get(payload.externalId), reasons.get(payload.externalId)];
      const missing = payload.manager !== undefined && idOf(payload.manager) === undefined;
      // What RetailCRM says nothing of is left out: whether it was made has to be asked for.
      const outcome = id !== undefined ? done(id, missing) : reason && (await afterRefusal(payload, reason));
      if (outcome) outcomes.set(delivery.row.id, outcome);
    }
    await remember(deliveries, outcomes);
    return outcomes;
  }

  function done(id: number, managerMissing: boolean): Outcome {
    const found = { state: 'done', remoteId: String(id) } as const;
    if (!managerMissing) return found;
    const report = noUserReport(enterprise, 'customer', 'a call', 'the customer is made without a manager');
    return { ...found, reports: [report] };
  }

  /** The external id may be taken, by an earlier run or in a database that is no more; how RetailCRM says so is not documented. */
  async function afterRefusal(payload: CustomerPayload, reason: string): Promise<Outcome | undefined> {
    let standing: Customer | undefined;
    try {
      standing = await crm.customerByExternalId(payload.externalId);
    } catch (error) {
      if (error instanceof RemoteError) return undefined;
      throw error;
    }
    if (standing === undefined) {
      return (
        withoutManager(payload, /manager/i.test(reason)) ?? {
          state: 'refused',
          reason: `RetailCRM refused it: ${reason}`,
        }
      );
    }
    return isOurs(standing, payload)
      ? done(standing.id, false)
      : { state: 'refused', reason: `customer ${standing.id} has the external id of this phone, and another phone` };
  }

  function isOurs({ phones }: Customer, { phone }: CustomerPayload): boolean {
    return phones.length === 0 || phonesTyped(phones, country).includes(phone);
  }

  function withoutManager(payload: CustomerPayload, isToBlame: boolean): Outcome | undefined {
    const { manager, ...rest } = payload;
    if (manager === undefined || !isToBlame) return undefined;
    const message = `enterprise ${enterprise}: RetailCRM does not accept a manager of the mapping; customers are made without`;
    return {
      state: 'amended',
      payload: asJson(rest),
      alert: { kind: 'retail_user', subject: `${enterprise}:manager`, message },
    };
  }

  async function remember(
    deliveries: readonly Delivery[],
    settled: ReadonlyMap<number, { state: string; remoteId?: string }>,
  ): Promise<void> {
    const people = deliveries.flatMap((delivery) => {
      const { remoteId } = settled.get(delivery.row.id) ?? {};
      return remoteId === undefined ? [] : [{ customerId: Number(remoteId), phones: [payloadOf(delivery).phone] }];
    });
    if (people.length > 0) await memory.put(people);
  }

  /** By external id, whose 404 is certain. What was never sent is left to `known`, whose index has those of other programs too. */
  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const looks = new Map<number, Look>();
    for (const delivery of deliveries) {
      const payload = payloadOf(delivery);
      const standing = delivery.row.sentAt === null ? undefined : await crm.customerByExternalId(payload.externalId);
      if (standing === undefined) looks.set(delivery.row.id, { state: 'absent' });
      else if (isOurs(standing, payload)) {
        looks.set(delivery.row.id, { state: 'found', remoteId: String(standing.id) });
      } else {
        // Somebody changed its phone since: the next sending is refused, and then says why.
        looks.set(delivery.row.id, { state: 'absent' });
      }
    }
    await remember(deliveries, looks);
    return looks;
  }

  return {
    kind: retailKinds(enterprise).customer,
    batch: LARGEST_UPLOAD,
    counts: 'created',
    reservation: (payload) => retailKeys.customer(enterprise, (payload as unknown as CustomerPayload).phone),
    known,
    send,
    look,
    judge: (error, deliveries) => {
      const [delivery, ...others] = deliveries;
      if (delivery === undefined || others.length > 0) return new Map();
      const isToBlame = faultsOf(error.answer).some((fault) => isOf(fault, 'manager'));
      const outcome = withoutManager(payloadOf(delivery), isToBlame);
      return new Map(outcome && [[delivery.row.id, outcome]]);
    },
    describe: (payload) => describe(payload as unknown as CustomerPayload),
  };
}

/** A name that is the phone itself is hidden like it. */
function describe({ phone, firstName, manager }: CustomerPayload): Record<string, Json> {
  const name = firstName.replace(/\D/g, '').length >= 7 ? maskPhone(phone) : firstName;
  return { phone: maskPhone(phone), firstName: name, manager: shownUser(manager) };
}

function payloadOf({ row }: Delivery): CustomerPayload {
  return row.payload as unknown as CustomerPayload;
}
