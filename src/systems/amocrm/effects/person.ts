import type { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Link } from '../../../domain/effect.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory, IndexedEntity } from '../memory.ts';
import { type Field, type Person, validationErrors } from '../schema.ts';
import { blame } from './blame.ts';
import { KINDS } from './payloads.ts';
import { emailsOf, type PeopleIndex, phonesOf } from './people-index.ts';
import {
  allEmails,
  allPhones,
  hasIdentity,
  identities,
  matches,
  needsFields,
  newPerson,
  ownFields,
  type PersonPayload,
  personOf,
  sentFields,
} from './person-match.ts';
import { controlsBefore, walkNewestFirst } from './walk.ts';

const DAY_MS = 86_400_000;

export interface PersonOptions {
  client: AmocrmClient;
  memory: AmoMemory;
  index: PeopleIndex;
  /** ISO 3166-1 alpha-2: for phones stored without a country code. */
  country: string;
  /** IANA name: dates in the mapping's texts are local. */
  zone: string;
}

/** What a person of the account was seen with. */
interface Held {
  phones: readonly string[];
  emails: readonly string[];
}

/**
 * A contact or a company: the one that the source names where it still stands, else found by phone or e-mail, else made.
 * Never renamed; the smallest id where several match.
 */
export function personHandler(entity: IndexedEntity, options: PersonOptions): EffectHandler {
  const { client, memory, index, country, zone } = options;
  const kind = entity === 'contacts' ? KINDS.contact : KINDS.company;
  const byIds = entity === 'contacts' ? client.contactsByIds : client.companiesByIds;
  const list = entity === 'contacts' ? client.listContacts : client.listCompanies;
  const create = entity === 'contacts' ? client.createContacts : client.createCompanies;
  /** People that this run has read or made: they need no second look. */
  const verified = new Map<number, Held>();
  /** Ids that were asked for in vain. */
  const gone = new Set<number>();
  const describedFields = () =>
    memory.cached<Field[]>(`amocrm:fields:${entity}`, DAY_MS, () => client.listFields(entity));

  async function candidates(wanted: readonly PersonPayload[]): Promise<Map<string, number[]>> {
    const bound = await memory.bound(wanted.flatMap((payload) => identities(entity, payload)));
    const byPhone = await memory.index.find(entity, 'phone', wanted.flatMap(allPhones));
    const byEmail = await memory.index.find(entity, 'email', wanted.flatMap(allEmails));
    const found = new Map<string, number[]>();
    for (const payload of wanted) {
      const inOrder = (ids: readonly number[]) => [...ids].sort((a, b) => a - b);
      // Whoever has the phone goes before whoever has the e-mail.
      const indexed = [
        ...inOrder(allPhones(payload).flatMap((phone) => byPhone.get(phone) ?? [])),
        ...inOrder(allEmails(payload).flatMap((email) => byEmail.get(email) ?? [])),
      ];
      for (const key of identities(entity, payload)) {
        const own = bound.get(key);
        const ids = own === undefined ? indexed : [Number(own), ...indexed];
        if (ids.length > 0) found.set(key, [...new Set(ids)]);
      }
    }
    return found;
  }

  /** Reads people by id and forgets those that are gone or no longer have the phone or e-mail. */
  async function verify(ids: readonly number[], payloads: readonly PersonPayload[]): Promise<void> {
    const unread = [...new Set(ids)].filter((id) => !verified.has(id) && !gone.has(id));
    if (unread.length === 0) return;
    const people = await byIds(unread);
    const vanished = unread.filter((id) => !people.has(id));
    for (const id of vanished) gone.add(id);
    if (vanished.length > 0) await memory.index.drop(entity, vanished);
    const own = payloads.map(ownFields);
    const fields = { phones: own.flatMap(({ phones }) => phones), emails: own.flatMap(({ emails }) => emails) };
    for (const person of people.values()) {
      verified.set(person.id, { phones: phonesOf(person, country, fields), emails: emailsOf(person, fields) });
    }
    await memory.index.put(entity, [...people.values()].map(index.indexed));
  }

  function holds(id: number, payload: PersonPayload): boolean {
    const person = verified.get(id);
    if (!person) return false;
    if (id === payload.existing || allPhones(payload).some((phone) => person.phones.includes(phone))) return true;
    return allEmails(payload).some((email) => person.emails.includes(email));
  }

  const namedBySource = ({ existing }: PersonPayload) =>
    existing === undefined || gone.has(existing) ? undefined : existing;

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const findable = deliveries.filter((delivery) => {
      const payload = personOf(delivery);
      return hasIdentity(payload) || payload.existing !== undefined;
    });
    const payloads = findable.map(personOf);
    for (const payload of payloads) index.alsoIn(ownFields(payload));
    let found = await candidates(payloads);
    const idsOf = (payload: PersonPayload) => {
      const named = namedBySource(payload);
      return named === undefined ? identities(entity, payload).flatMap((key) => found.get(key) ?? []) : [named];
    };
    const refresh = async (strangers: readonly PersonPayload[]) => {
      const phones = [...new Set(strangers.flatMap(allPhones))];
      const emails = [...new Set(strangers.flatMap(allEmails))];
      if (phones.length + emails.length === 0) return;
      await index.refresh(entity, phones, emails);
      found = await candidates(payloads);
    };
    const readAll = () => verify(payloads.flatMap(idsOf), payloads);
    await refresh(payloads.filter((payload) => idsOf(payload).length === 0));
    await readAll();
    // Where the one that the source names is gone, those with its phone come into question only now.
    await readAll();
    // Merged into another or deleted since: whoever has the phone now is not known yet.
    const lost = (payload: PersonPayload) =>
      (idsOf(payload).length > 0 || payload.existing !== undefined) && !idsOf(payload).some((id) => holds(id, payload));
    await refresh(payloads.filter(lost));
    await readAll();
    const settled = new Map<number, Found>();
    for (const delivery of findable) {
      const payload = personOf(delivery);
      const id = idsOf(payload).find((candidate) => holds(candidate, payload));
      if (id !== undefined) settled.set(delivery.row.id, asFound(id, payload));
    }
    return settled;
  }

  /** What is named by the source alone stands for those phones alone that it has. */
  function asFound(id: number, payload: PersonPayload): Found {
    const held = id === payload.existing ? verified.get(id) : undefined;
    const proven = held === undefined ? payload : onlyHeld(payload, held);
    const links = identities(entity, proven).map(
      (key): Link => ({ key, kind: `${kind}.identity`, remoteId: String(id) }),
    );
    return { remoteId: String(id), links };
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const fields = deliveries.some((delivery) => needsFields(personOf(delivery))) ? await describedFields() : [];
    const made = await create(
      deliveries.map((delivery) => newPerson(delivery, fields, zone)),
      onSend,
    );
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) {
      const id = made.get(String(delivery.row.id));
      if (id === undefined) continue;
      const payload = personOf(delivery);
      verified.set(id, { phones: allPhones(payload), emails: allEmails(payload) });
      outcomes.set(delivery.row.id, { state: 'done', ...asFound(id, payload) });
    }
    return outcomes;
  }

  /**
   * By phone or e-mail; one without either by its code, else by its name among those that have none, made since the
   * sending. What was never sent and has a phone is left to `known`, whose index also holds the older ones.
   */
  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const absent = { state: 'absent' } as const;
    const unsent = deliveries.filter(({ row }) => row.sentAt === null);
    for (const delivery of unsent) index.alsoIn(ownFields(personOf(delivery)));
    const named = unsent.map(personOf).flatMap((payload) => namedBySource(payload) ?? []);
    await verify(named, unsent.map(personOf));
    const known = unsent.filter((delivery) => {
      const payload = personOf(delivery);
      return hasIdentity(payload) || namedBySource(payload) !== undefined;
    });
    const looks = await walk(deliveries.filter((delivery) => !known.includes(delivery)));
    for (const { row } of known) looks.set(row.id, absent);
    return looks;
  }

  async function walk(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    if (deliveries.length === 0) return new Map();
    const hits = new Map<number, number>();
    const since = new Date(Math.min(...deliveries.map((delivery) => delivery.since.getTime())));
    const distrust = await walkNewestFirst<Person>({
      page: async (page) => (await list({ page, limit: 250, order: { by: 'id', direction: 'desc' } })).rows,
      since,
      controls: await memory.controls(kind, controlsBefore(deliveries)),
      existing: async (ids) => new Set((await byIds(ids)).keys()),
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
        if (id !== undefined) return [delivery.row.id, { state: 'found', ...asFound(id, personOf(delivery)) }];
        return [delivery.row.id, distrust === undefined ? { state: 'absent' } : { state: 'unknown', reason: distrust }];
      }),
    );
  }

  return {
    kind,
    batch: 50,
    reservation: (payload) => identities(entity, payload as PersonPayload)[0],
    since: (payload) => new Date((payload as PersonPayload).since),
    known,
    send,
    look,
    judge,
    describe: (payload) => describe(payload as PersonPayload),
  };
}

/** A company that is gone is found anew; stale fields of the mapping are left out. */
function judge(error: RemoteError, deliveries: readonly Delivery[]): Map<number, Outcome> {
  const outcomes = blame(error, deliveries, { fields: (delivery) => sentFields(personOf(delivery)), extra: () => [] });
  const faults = validationErrors(error.answer).filter(({ path }) => path.startsWith('_embedded.companies'));
  for (const delivery of deliveries) {
    const { companyKey } = personOf(delivery);
    if (companyKey === undefined || !faults.some(({ requestId }) => requestId === String(delivery.row.id))) continue;
    const reason = 'the company is gone in amoCRM; it is found anew';
    outcomes.set(delivery.row.id, { state: 'renew', keys: [companyKey], reason });
  }
  return outcomes;
}

function onlyHeld(payload: PersonPayload, held: Held): PersonPayload {
  const { phone, email, ...rest } = payload;
  const phones = allPhones(payload).filter((one) => held.phones.includes(one));
  return { ...rest, phones, ...(email !== undefined && held.emails.includes(email) ? { email } : {}) };
}

function describe(payload: PersonPayload): Record<string, Json> {
  const { name, phone, phones, email, tags, fields } = payload;
  return JSON.parse(JSON.stringify({ name, phone, phones, email, tags, fields })) as Record<string, Json>;
}
