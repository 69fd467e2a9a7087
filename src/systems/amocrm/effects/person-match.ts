import type { Delivery } from '../../../domain/handler.ts';
import type { IndexedEntity } from '../memory.ts';
import type { Field, Person } from '../schema.ts';
import type { FieldWrite, NewPerson } from '../write.ts';
import { fieldWrites } from './field-values.ts';
import { type ContactPayload, keys } from './payloads.ts';
import { emailsOf, type PeopleFields, phonesOf } from './people-index.ts';

/** What is asked of a contact, or of a company, which has no first name and no company of its own. */
export type PersonPayload = ContactPayload;

export function personOf(delivery: Delivery): PersonPayload {
  return delivery.row.payload as PersonPayload;
}

/** All phones, E.164, the first one first. */
export function allPhones({ phone, phones = [] }: PersonPayload): string[] {
  return [...new Set([...(phone === undefined ? [] : [phone]), ...phones])];
}

export function allEmails({ email }: PersonPayload): string[] {
  return email === undefined ? [] : [email];
}

/** Where the payload says that phones and e-mails stand beside PHONE and EMAIL. */
export function ownFields({ phoneFieldId, emailFieldId }: PersonPayload): PeopleFields {
  return {
    phones: phoneFieldId === undefined ? [] : [phoneFieldId],
    emails: emailFieldId === undefined ? [] : [emailFieldId],
  };
}

/** The keys under which other effects may want the same person. */
export function identities(entity: IndexedEntity, payload: PersonPayload): string[] {
  const { phone, email } =
    entity === 'contacts'
      ? { phone: keys.phone, email: keys.email }
      : { phone: keys.companyPhone, email: keys.companyEmail };
  return [...allPhones(payload).map(phone), ...allEmails(payload).map(email)];
}

export function hasIdentity(payload: PersonPayload): boolean {
  return allPhones(payload).length + allEmails(payload).length > 0;
}

/** Whether a row of a list is the one that a sending in doubt may have made. */
export function matches(person: Person, delivery: Delivery, country: string): boolean {
  const payload = personOf(delivery);
  if (person.isDeleted) return false;
  const phones = phonesOf(person, country, ownFields(payload));
  const emails = emailsOf(person, ownFields(payload));
  if (allPhones(payload).some((phone) => phones.includes(phone))) return true;
  if (allEmails(payload).some((email) => emails.includes(email))) return true;
  if (hasIdentity(payload)) return false;
  const code = codeOf(payload);
  if (code !== '') return codeIn(person, payload) === code;
  const bare = phones.length + emails.length === 0;
  return bare && person.name === payload.name && person.createdAt * 1000 >= delivery.since.getTime();
}

function codeOf({ codeField, fields = {} }: PersonPayload): string {
  return codeField === undefined ? '' : (fields[codeField] ?? '').trim();
}

function codeIn(person: Person, { codeField }: PersonPayload): string {
  const filled = person.fields.find(({ fieldId }) => String(fieldId) === codeField);
  return String(filled?.values[0]?.value ?? '').trim();
}

/** Ids of the custom fields in the order in which they are sent; '' stands for phone and e-mail, which are never left out. */
export function sentFields(payload: PersonPayload): string[] {
  return [...contactWrites(payload, []).map(() => ''), ...textIds(payload)];
}

/** True where the account's description of its fields is needed to write this one. */
export function needsFields(payload: PersonPayload): boolean {
  return textIds(payload).length > 0 || payload.phoneFieldId !== undefined || payload.emailFieldId !== undefined;
}

function textIds({ fields = {}, phoneFieldId, emailFieldId }: PersonPayload): string[] {
  const taken = [phoneFieldId, emailFieldId].map(String);
  return Object.keys(fields).filter((id) => fields[id] !== '' && !taken.includes(id));
}

function contactWrites(payload: PersonPayload, fields: readonly Field[]): FieldWrite[] {
  const { phoneEnum, phoneFieldId, emailFieldId } = payload;
  return [
    ...multiText(allPhones(payload), 'PHONE', phoneEnum, phoneFieldId, fields),
    ...multiText(allEmails(payload), 'EMAIL', 'WORK', emailFieldId, fields),
  ];
}

/** A field of another type than `multitext` knows no kinds of numbers, and holds one value. */
function multiText(
  texts: readonly string[],
  code: string,
  enumCode: string,
  fieldId: number | undefined,
  fields: readonly Field[],
): FieldWrite[] {
  if (texts.length === 0) return [];
  const type = fields.find(({ id }) => id === fieldId)?.type ?? 'multitext';
  const values = type === 'multitext' ? texts.map((value) => ({ value, enumCode })) : [{ value: texts[0] ?? '' }];
  return [{ ...(fieldId === undefined ? { fieldCode: code } : { fieldId }), values }];
}

/** What is sent for a new one; `fields` describe the account's. */
export function newPerson(delivery: Delivery, fields: readonly Field[], zone: string): NewPerson {
  const payload = personOf(delivery);
  const { firstName, lastName, responsibleUserId, tags = [], companyKey } = payload;
  return {
    requestId: String(delivery.row.id),
    name: payload.name,
    ...(firstName === undefined ? {} : { firstName }),
    ...(lastName === undefined ? {} : { lastName }),
    ...(responsibleUserId === undefined ? {} : { responsibleUserId }),
    ...(companyKey === undefined ? {} : { companyId: Number(delivery.ids.get(companyKey)) }),
    ...(tags.length === 0 ? {} : { tags }),
    fields: [...contactWrites(payload, fields), ...fieldWrites(payload.fields ?? {}, textIds(payload), fields, zone)],
  };
}
