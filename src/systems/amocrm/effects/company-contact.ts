import type { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import { validationErrors } from '../schema.ts';
import { type CompanyContactPayload, KINDS } from './payloads.ts';
import { elsewhereReport } from './reports.ts';

export interface CompanyContactOptions {
  client: AmocrmClient;
}

/** Contacts linked with their companies. Who belongs to another company is left there, and told of. */
export function companyContactHandler({ client }: CompanyContactOptions): EffectHandler {
  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const contacts = await client.contactsByIds(deliveries.map((delivery) => idsOf(delivery).contactId));
    const settled = new Map<number, Found>();
    for (const delivery of deliveries) {
      const { contactId, companyId } = idsOf(delivery);
      const companies = contacts.get(contactId)?.companyIds ?? [];
      if (companies.length === 0) continue;
      const reports = companies.includes(companyId) ? [] : [elsewhereReport(delivery, contactId, companyId)];
      settled.set(delivery.row.id, { remoteId: remoteIdOf(delivery), reports });
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    await client.linkCompanies(deliveries.map(idsOf), onSend);
    return new Map(deliveries.map((delivery) => [delivery.row.id, { state: 'done', remoteId: remoteIdOf(delivery) }]));
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const found = await known(deliveries);
    return new Map(
      deliveries.map(({ row }): [number, Look] => {
        const one = found.get(row.id);
        return [row.id, one ? { state: 'found', ...one } : { state: 'absent' }];
      }),
    );
  }

  return {
    kind: KINDS.companyContact,
    batch: 50,
    // One company at a time: the second one then finds the contact taken.
    reservation: (payload) => `${KINDS.companyContact}:${(payload as CompanyContactPayload).contactKey}`,
    known,
    send,
    look,
    judge,
    describe: (payload) => ({ ...(payload as CompanyContactPayload) }) satisfies Record<string, Json>,
  };
}

/** Items of links carry no name of ours: a refusal counts them from 0. */
function judge(error: RemoteError, deliveries: readonly Delivery[]): Map<number, Outcome> {
  const outcomes = new Map<number, Outcome>();
  for (const { requestId, path, code } of validationErrors(error.answer)) {
    const delivery = requestId === '' ? undefined : deliveries[Number(requestId)];
    if (!delivery) continue;
    const { companyKey, contactKey } = payloadOf(delivery);
    const reason = `amoCRM refused the link of a contact with its company (${path || 'item'}: ${code})`;
    const gone = path.startsWith('to_entity_id') ? companyKey : path.startsWith('entity_id') ? contactKey : undefined;
    outcomes.set(
      delivery.row.id,
      gone === undefined ? { state: 'refused', reason } : { state: 'renew', keys: [gone], reason },
    );
  }
  return outcomes;
}

function payloadOf(delivery: Delivery): CompanyContactPayload {
  return delivery.row.payload as CompanyContactPayload;
}

function idsOf(delivery: Delivery): { contactId: number; companyId: number } {
  const { companyKey, contactKey } = payloadOf(delivery);
  return { contactId: Number(delivery.ids.get(contactKey)), companyId: Number(delivery.ids.get(companyKey)) };
}

function remoteIdOf(delivery: Delivery): string {
  const { contactId, companyId } = idsOf(delivery);
  return `${companyId}:${contactId}`;
}
