import type { Json } from '../../../base/schema.ts';
import type { Link } from '../../../domain/effect.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory } from '../memory.ts';
import type { Person } from '../schema.ts';
import type { NewPerson } from '../write.ts';
import { blame } from './blame.ts';
import { type ContactPayload, KINDS, keys } from './payloads.ts';
import { emailsOf, type PeopleIndex, phonesOf } from './people-index.ts';
import { controlsBefore, walkNewestFirst } from './walk.ts';

export interface ContactOptions {
  client: AmocrmClient;
  memory: AmoMemory;
  index: PeopleIndex;
  country: string;
}

/** A contact found by phone or e-mail, or made. Never renamed; the smallest id where several match. */
export function contactHandler(options: ContactOptions): EffectHandler {
  const { client, memory, index, country } = options;
  /** Contacts that this run has read or made: they need no second look. */
  const verified = new Map<number, { phones: readonly string[]; emails: readonly string[] }>();

  async function candidates(wanted: readonly ContactPayload[]): Promise<Map<string, number[]>> {
    const bound = await memory.bound(wanted.flatMap(identities));
    const byPhone = await memory.index.find('contacts', 'phone', wanted.map((w) => w.phone ?? '').filter(Boolean));
    const byEmail = await memory.index.find('contacts', 'email', wanted.map((w) => w.email ?? '').filter(Boolean));
    const found = new Map<string, number[]>();
    for (const payload of wanted) {
      for (const key of identities(payload)) {
        const own = bound.get(key);
        const indexed = [
          ...(payload.phone === undefined ? [] : (byPhone.get(payload.phone) ?? [])),
          ...(payload.email === undefined ? [] : (byEmail.get(payload.email) ?? [])),
        ].sort((a, b) => a - b);
        const ids = own === undefined ? indexed : [Number(own), ...indexed];
        if (ids.length > 0) found.set(key, [...new Set(ids)]);
      }
    }
    return found;
  }

  /** Reads candidates by id and forgets those that are gone or no longer have the phone or e-mail. */
  async function verify(ids: readonly number[]): Promise<void> {
    const unread = [...new Set(ids)].filter((id) => !verified.has(id));
    if (unread.length === 0) return;
    const people = await client.contactsByIds(unread);
    const gone = unread.filter((id) => !people.has(id));
    if (gone.length > 0) await memory.index.drop('contacts', gone);
    for (const person of people.values()) {
      verified.set(person.id, { phones: phonesOf(person, country), emails: emailsOf(person) });
    }
    await memory.index.put('contacts', [...people.values()].map(index.indexed));
  }

  function holds(id: number, payload: ContactPayload): boolean {
    const person = verified.get(id);
    if (!person) return false;
    const samePhone = payload.phone !== undefined && person.phones.includes(payload.phone);
    return samePhone || (payload.email !== undefined && person.emails.includes(payload.email));
  }

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const findable = deliveries.filter((delivery) => identities(payloadOf(delivery)).length > 0);
    const payloads = findable.map(payloadOf);
    let found = await candidates(payloads);
    const idsOf = (payload: ContactPayload) => identities(payload).flatMap((key) => found.get(key) ?? []);
    const refresh = async (strangers: readonly ContactPayload[]) => {
      const phones = [...new Set(strangers.map((payload) => payload.phone ?? '').filter(Boolean))];
      if (phones.length === 0) return;
      await index.refresh('contacts', phones);
      found = await candidates(payloads);
    };
    await refresh(payloads.filter((payload) => idsOf(payload).length === 0));
    await verify([...found.values()].flat());
    // Merged into another or deleted since: whoever has the phone now is not known yet.
    const lost = (payload: ContactPayload, ids: readonly number[]) =>
      ids.length > 0 && !ids.some((id) => holds(id, payload));
    await refresh(payloads.filter((payload) => lost(payload, idsOf(payload))));
    await verify([...found.values()].flat());
    const settled = new Map<number, Found>();
    for (const delivery of findable) {
      const payload = payloadOf(delivery);
      const id = idsOf(payload).find((candidate) => holds(candidate, payload));
      if (id !== undefined) settled.set(delivery.row.id, asFound(id, payload));
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const made = await client.createContacts(
      deliveries.map((delivery) => newPerson(delivery.row.id, payloadOf(delivery))),
      onSend,
    );
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) {
      const id = made.get(String(delivery.row.id));
      if (id === undefined) continue;
      const { phone, email } = payloadOf(delivery);
      verified.set(id, { phones: phone ? [phone] : [], emails: email ? [email] : [] });
      outcomes.set(delivery.row.id, { state: 'done', ...asFound(id, payloadOf(delivery)) });
    }
    return outcomes;
  }

  /**
   * By phone or e-mail; a contact without either, by its name among those that have none, made since the sending. What
   * was never sent and has a phone is left to `known`, whose index also holds the older contacts.
   */
  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const absent = { state: 'absent' } as const;
    const indexed = deliveries.filter(({ row }) => row.sentAt === null && hasIdentity(row.payload));
    const looks = await walk(deliveries.filter((delivery) => !indexed.includes(delivery)));
    for (const { row } of indexed) looks.set(row.id, absent);
    return looks;
  }

  async function walk(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    if (deliveries.length === 0) return new Map();
    const hits = new Map<number, number>();
    const since = new Date(Math.min(...deliveries.map((delivery) => delivery.since.getTime())));
    const distrust = await walkNewestFirst<Person>({
      page: async (page) =>
        (await client.listContacts({ page, limit: 250, order: { by: 'id', direction: 'desc' } })).rows,
      since,
      controls: await memory.controls(KINDS.contact, controlsBefore(deliveries)),
      existing: async (ids) => new Set((await client.contactsByIds(ids)).keys()),
      visit: (person) => {
        for (const delivery of deliveries) {
          if (!matches(person, delivery, country)) continue;
          hits.set(delivery.row.id, Math.min(person.id, hits.get(delivery.row.id) ?? person.id));
        }
      },
    });
    return new Map(
      deliveries.map((delivery): [number, Look] => {
        const id = hits.get(delivery.row.id);
        if (id !== undefined) return [delivery.row.id, { state: 'found', ...asFound(id, payloadOf(delivery)) }];
        return [delivery.row.id, distrust === undefined ? { state: 'absent' } : { state: 'unknown', reason: distrust }];
      }),
    );
  }

  return {
    kind: KINDS.contact,
    batch: 50,
    reservation: (payload) => identities(payload as ContactPayload)[0],
    since: (payload) => new Date((payload as ContactPayload).since),
    known,
    send,
    look,
    judge: (error, deliveries) => blame(error, deliveries, { fields: () => [], extra: () => [] }),
    describe: (payload) => describe(payload as ContactPayload),
  };
}

function payloadOf(delivery: Delivery): ContactPayload {
  return delivery.row.payload as ContactPayload;
}

function hasIdentity(payload: Json): boolean {
  return identities(payload as ContactPayload).length > 0;
}

/** The keys under which other effects may want the same contact. */
function identities(payload: ContactPayload): string[] {
  return [
    ...(payload.phone === undefined ? [] : [keys.phone(payload.phone)]),
    ...(payload.email === undefined ? [] : [keys.email(payload.email)]),
  ];
}

function asFound(id: number, payload: ContactPayload): Found {
  const links = identities(payload).map(
    (key): Link => ({ key, kind: `${KINDS.contact}.identity`, remoteId: String(id) }),
  );
  return { remoteId: String(id), links };
}

function newPerson(rowId: number, payload: ContactPayload): NewPerson {
  const fields = [
    ...(payload.phone === undefined
      ? []
      : [{ fieldCode: 'PHONE', values: [{ value: payload.phone, enumCode: payload.phoneEnum }] }]),
    ...(payload.email === undefined
      ? []
      : [{ fieldCode: 'EMAIL', values: [{ value: payload.email, enumCode: 'WORK' }] }]),
  ];
  return {
    requestId: String(rowId),
    name: payload.name,
    ...(payload.firstName === undefined ? {} : { firstName: payload.firstName }),
    ...(payload.lastName === undefined ? {} : { lastName: payload.lastName }),
    ...(payload.responsibleUserId === undefined ? {} : { responsibleUserId: payload.responsibleUserId }),
    fields,
  };
}

function matches(person: Person, delivery: Delivery, country: string): boolean {
  const payload = payloadOf(delivery);
  if (person.isDeleted) return false;
  const phones = phonesOf(person, country);
  const emails = emailsOf(person);
  if (payload.phone !== undefined && phones.includes(payload.phone)) return true;
  if (payload.email !== undefined && emails.includes(payload.email)) return true;
  if (identities(payload).length > 0) return false;
  const bare = phones.length + emails.length === 0;
  return bare && person.name === payload.name && person.createdAt * 1000 >= delivery.since.getTime();
}

function describe(payload: ContactPayload): Record<string, Json> {
  return {
    name: payload.name,
    ...(payload.phone === undefined ? {} : { phone: payload.phone }),
    ...(payload.email === undefined ? {} : { email: payload.email }),
  };
}
