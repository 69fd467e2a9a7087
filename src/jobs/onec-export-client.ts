import type { OnecMapping } from '../config/mapping-onec-types.ts';
import type { Effect, RecordRef } from '../domain/effect.ts';
import type { OnecClient } from '../domain/onec.ts';
import {
  type CompanyPayload,
  companyContactEffect,
  companyEffect,
  contactEffect,
  keys,
} from '../systems/amocrm/effects/payloads.ts';
import { type IdPayload, KINDS as ONEC_KINDS, onecEffect, keys as onecKeys } from '../systems/onec/effects/payloads.ts';

export interface ClientOptions {
  mapping: Pick<OnecMapping, 'catalogs' | 'fields' | 'export'>;
  phoneEnum: string;
  responsibleUserId: number | undefined;
}

/** Under which key the client's contact or company is made; shared by all documents of the client. */
export function clientKey({ ref, kind }: OnecClient): string {
  const source = { system: 'onec', id: ref };
  return kind === 'company' ? keys.company(source) : keys.contact(source);
}

/**
 * The client as a contact; a company with its people, each found or made, their ids kept with 1C's counterparties. `since`:
 * ISO-8601, what is made for the document cannot be older. `carId`: the id of the client's car, or ''.
 */
export function clientEffects(
  client: OnecClient,
  record: RecordRef,
  { since, carId }: { since: string; carId: string },
  options: ClientOptions,
): Effect[] {
  if (client.kind === 'person') return personEffects(client, record, { since, carId }, options);
  const { fields, export: how } = options.mapping;
  const companyKey = clientKey(client);
  const company: CompanyPayload = {
    ...commonOf(client, since, options),
    ...customFields([[fields.companyCode, client.code]]),
    ...(fields.companyCode === undefined || client.code === '' ? {} : { codeField: String(fields.companyCode) }),
    ...(how.contactTag === undefined ? {} : { tags: [how.contactTag] }),
    ...(fields.companyPhone === undefined ? {} : { phoneFieldId: fields.companyPhone }),
    ...(fields.companyEmail === undefined ? {} : { emailFieldId: fields.companyEmail }),
  };
  return [
    companyEffect({ system: 'onec', id: client.ref }, record, company),
    idEffect(client, record, options),
    ...client.persons.flatMap((person) => personEffects(person, record, { since, carId: '', companyKey }, options)),
  ];
}

function personEffects(
  person: OnecClient,
  record: RecordRef,
  { since, carId, companyKey }: { since: string; carId: string; companyKey?: string },
  options: ClientOptions,
): Effect[] {
  const { fields, export: how } = options.mapping;
  const contact = contactEffect({ system: 'onec', id: person.ref }, record, {
    ...commonOf(person, since, options),
    ...(person.firstName === undefined ? {} : { firstName: person.firstName }),
    ...(person.lastName === undefined ? {} : { lastName: person.lastName }),
    ...customFields([
      [fields.contactCode, person.code],
      [fields.contactCarId, carId],
    ]),
    ...(fields.contactCode === undefined || person.code === '' ? {} : { codeField: String(fields.contactCode) }),
    ...(how.contactTag === undefined ? {} : { tags: [how.contactTag] }),
    ...(fields.contactPhone === undefined ? {} : { phoneFieldId: fields.contactPhone }),
    ...(fields.contactEmail === undefined ? {} : { emailFieldId: fields.contactEmail }),
    ...(companyKey === undefined ? {} : { companyKey }),
  });
  // A new contact is born linked to its company; one that stood there before is not.
  const link = companyKey === undefined ? [] : [companyContactEffect(record, { companyKey, contactKey: contact.key })];
  return [contact, ...link, idEffect({ ...person, kind: 'person' }, record, options)];
}

function commonOf(client: OnecClient, since: string, { phoneEnum, responsibleUserId }: ClientOptions) {
  const [phone, ...phones] = client.phones;
  const [email] = client.emails;
  return {
    name: client.name || client.code,
    ...(phone === undefined ? {} : { phone }),
    ...(phones.length === 0 ? {} : { phones }),
    ...(email === undefined ? {} : { email }),
    phoneEnum,
    ...(responsibleUserId === undefined ? {} : { responsibleUserId }),
    ...(client.amoId === undefined ? {} : { existing: client.amoId }),
    since,
  };
}

/** Fields that have an id, with their text where there is one. */
function customFields(wanted: readonly (readonly [number | undefined, string])[]) {
  const filled = wanted.flatMap(([id, text]) => (id === undefined || text === '' ? [] : [[String(id), text] as const]));
  return filled.length === 0 ? {} : { fields: Object.fromEntries(filled) };
}

function idEffect(client: OnecClient, record: RecordRef, { mapping }: ClientOptions): Effect {
  const amoKey = clientKey(client);
  const payload: IdPayload = {
    property: 'client',
    set: mapping.catalogs.counterparty.set,
    object: client.ref,
    amoKey,
    ...(client.amoId === undefined ? {} : { current: client.amoId }),
  };
  return onecEffect(ONEC_KINDS.id, onecKeys.id(client.ref), record, [amoKey], payload);
}
