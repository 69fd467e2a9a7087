import type { OnecMapping } from '../../config/mapping-onec-types.ts';
import { lastTen, type OnecClient } from '../../domain/onec.ts';
import { castRef, guid, type OnecEntity } from './api.ts';
import { collect, isRefusal, onecRef, type ReaderContext, type ThingReader } from './context.ts';
import { BATCH, chunks } from './filters.ts';
import type { MarkReader } from './marks.ts';
import { orFilters } from './query.ts';
import { flagOf, refOf, rowsOf, textOf, typeOf } from './schema.ts';
import { trustsCast } from './trust.ts';

type Names = OnecMapping['catalogs']['counterparty'];
type ParsePhone = (text: string, country: string) => string | undefined;
type Persons = NonNullable<Names['persons']>;

/** As the mapping sorts legal forms; a form that it does not name is a person's. */
function kindOf(names: Names, row: OnecEntity): OnecClient['kind'] {
  const form = textOf(row, names.legalForm);
  if (names.legalValues.includes(form)) return 'company';
  return names.entrepreneurValues.includes(form) ? names.entrepreneurAs : 'person';
}

function phonesOf(names: Names, row: OnecEntity, country: string, parsePhone: ParsePhone): string[] {
  const rows = rowsOf(row, names.contacts).filter((contact) => textOf(contact, names.contactType) === names.phoneType);
  const phones = rows.flatMap((contact) => {
    // The column of the number holds digits alone and may lack the country; the presentation is what people have typed.
    const texts = [textOf(contact, names.contactText), textOf(contact, names.contactPhone)];
    const phone = texts.map((text) => parsePhone(text, country)).find((parsed) => parsed !== undefined);
    return phone ?? [];
  });
  return [...new Set(phones)];
}

function emailOf(names: Names, contact: OnecEntity): string | undefined {
  const texts = [textOf(contact, names.contactEmail), textOf(contact, names.contactText)];
  return texts.map((text) => text.toLowerCase()).find((text) => /^[^\s@,;]+@[^\s@,;]+\.[^\s@,;]+$/.test(text));
}

function clientFrom(
  context: ReaderContext,
  parsePhone: ParsePhone,
  ref: string,
  row: OnecEntity,
  amoId: number | undefined,
  persons: readonly OnecClient[],
): OnecClient {
  const names = context.mapping.catalogs.counterparty;
  const contacts = rowsOf(row, names.contacts).filter((one) => textOf(one, names.contactType) === names.emailType);
  const [firstName, lastName] = [textOf(row, names.firstName), textOf(row, names.lastName)];
  return {
    ...onecRef(ref, row),
    kind: kindOf(names, row),
    ...(firstName === '' ? {} : { firstName }),
    ...(lastName === '' ? {} : { lastName }),
    phones: phonesOf(names, row, context.country, parsePhone),
    emails: [...new Set(contacts.flatMap((contact) => emailOf(names, contact) ?? []))],
    ...(amoId === undefined ? {} : { amoId }),
    persons,
  };
}

/** Counterparties with phones, e-mails, ids and, for companies, their contact persons. */
export function clientReader(context: ReaderContext, things: ThingReader, marks: MarkReader) {
  const { odata, mapping } = context;
  const names = mapping.catalogs.counterparty;
  const kept = new Map<string, OnecClient | undefined>();

  async function load(refs: readonly string[]): Promise<void> {
    // The tables of numbering plans weigh too much for a pass that meets no client.
    const { parsePhone } = await import('../../domain/phone.ts');
    const rows = await things(names.set, refs);
    const companies = [...rows].filter(([, row]) => kindOf(names, row) === 'company').map(([ref]) => ref);
    const persons =
      names.persons === undefined ? new Map<string, string[]>() : await personsOf(context, names.persons, companies);
    const personRows = await things(names.set, [...persons.values()].flat());
    const ids = await marks.marks(names.set, [...new Set([...rows.keys(), ...personRows.keys()])]);
    const clientOf = (ref: string, row: OnecEntity, own: readonly OnecClient[]) =>
      clientFrom(context, parsePhone, ref, row, ids.get(ref)?.amoId, own);
    for (const ref of refs) {
      const row = rows.get(ref);
      const own = (persons.get(ref) ?? []).flatMap((person) => {
        const personRow = personRows.get(person);
        return personRow === undefined || flagOf(personRow, 'DeletionMark') ? [] : [clientOf(person, personRow, [])];
      });
      kept.set(ref, row === undefined ? undefined : clientOf(ref, row, own));
    }
  }

  /** Those that are still there; each is read once a run. */
  async function clients(refs: Iterable<string | undefined>): Promise<Map<string, OnecClient>> {
    const wanted = [...new Set(refs)].filter((ref) => ref !== undefined);
    const missing = wanted.filter((ref) => !kept.has(ref));
    if (missing.length > 0) await load(missing);
    const found = new Map<string, OnecClient>();
    for (const ref of wanted) {
      const client = kept.get(ref);
      if (client !== undefined) found.set(ref, client);
    }
    return found;
  }

  return {
    clients,
    counterparties: async function* (): AsyncGenerator<string[]> {
      const query = { select: ['Ref_Key', 'DeletionMark'], orderby: 'Code,Description', pageSize: 500 };
      for await (const rows of odata.pages(names.set, query)) {
        const refs = rows.flatMap((row) => (flagOf(row, 'DeletionMark') ? [] : (refOf(row, 'Ref_Key') ?? [])));
        if (refs.length > 0) yield refs;
      }
    },
    clientsByContact: async (wanted: { phones: readonly string[]; emails: readonly string[] }) => {
      const found = { phone: new Map<string, readonly string[]>(), email: new Map<string, readonly string[]>() };
      if (wanted.phones.length === 0 && wanted.emails.length === 0) return found;
      const index = await context.once('contacts', () => contactIndex(context));
      const hits = {
        phone: wanted.phones.map((phone) => [phone, index.phones.get(lastTen(phone)) ?? []] as const),
        email: wanted.emails.map((email) => [email, index.emails.get(email.trim().toLowerCase()) ?? []] as const),
      };
      const refs = [...hits.phone, ...hits.email].flatMap(([, some]) => [...some]);
      const order = await usableInOrder(context, marks, [...new Set(refs)]);
      for (const kind of ['phone', 'email'] as const) {
        for (const [value, some] of hits[kind]) {
          const usable = order.filter((ref) => some.includes(ref));
          if (usable.length > 0) found[kind].set(value, usable);
        }
      }
      return found;
    },
    contractsOf: (refs: readonly string[]) => contractsOf(context, refs),
  };
}

async function contractsOf(
  { odata, mapping }: ReaderContext,
  owners: readonly string[],
): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const contracts = mapping.catalogs.contract;
  if (contracts === undefined) return found;
  const rows: OnecEntity[] = [];
  for (const filter of orFilters(owners.map((ref) => `${contracts.owner} eq ${guid(ref)}`))) {
    rows.push(...(await odata.list(contracts.set, { filter })));
  }
  const usable = rows
    .filter((row) => !flagOf(row, 'DeletionMark') && !flagOf(row, 'IsFolder'))
    .sort((a, b) => mainFirst(a, b) || textOf(a, 'Code').localeCompare(textOf(b, 'Code'), 'en'));
  for (const row of usable) {
    const [owner, ref] = [refOf(row, contracts.owner), refOf(row, 'Ref_Key')];
    if (owner === undefined || ref === undefined || !owners.includes(owner)) continue;
    found.set(owner, [...(found.get(owner) ?? []), ref]);
  }
  return found;
}

/** `Основной` is a flag of contracts in Alfa-Auto 6.1; elsewhere the oldest code goes first. */
function mainFirst(a: OnecEntity, b: OnecEntity): number {
  return Number(flagOf(b, 'Основной')) - Number(flagOf(a, 'Основной'));
}

/** Company → its contact persons, which are counterparties themselves (seen in Alfa-Auto 6.1). */
async function personsOf(
  context: ReaderContext,
  register: Persons,
  companies: readonly string[],
): Promise<Map<string, string[]>> {
  const persons = new Map<string, string[]>();
  if (companies.length === 0) return persons;
  const { odata, mapping } = context;
  const { set } = mapping.catalogs.counterparty;
  const single = register.owner.endsWith('_Key');
  const select = [register.owner, ...(single ? [] : [`${register.owner}_Type`]), register.person];
  const records: OnecEntity[] = [];
  if (single || (await trustsCast(context, register.set, register.owner))) {
    for (const some of chunks(companies, BATCH)) {
      const terms = some.map((ref) => `${register.owner} eq ${single ? `guid'${ref}'` : castRef(ref, set)}`);
      records.push(...(await odata.list(register.set, { filter: terms.join(' or '), select })));
    }
  } else {
    const pages = odata.pages(register.set, { select, orderby: register.person, pageSize: 1000 });
    records.push(...(await context.once('persons', () => collect(pages))));
  }
  const wanted = new Set(companies);
  for (const record of records) {
    const [owner, person] = [refOf(record, register.owner), refOf(record, register.person)];
    const type = typeOf(record, register.owner);
    if (owner === undefined || person === undefined || !wanted.has(owner) || (type !== '' && type !== set)) continue;
    const known = persons.get(owner) ?? [];
    if (person !== owner && !known.includes(person)) persons.set(owner, [...known, person]);
  }
  return persons;
}

interface ContactIndex {
  phones: Map<string, readonly string[]>;
  emails: Map<string, readonly string[]>;
}

/** Every phone and e-mail of every counterparty: what people type cannot be asked for by equality. */
async function contactIndex(context: ReaderContext): Promise<ContactIndex> {
  const names = context.mapping.catalogs.counterparty;
  const index: ContactIndex = { phones: new Map(), emails: new Map() };
  const add = (map: Map<string, readonly string[]>, value: string | undefined, ref: string) => {
    if (value === undefined || value === '') return;
    const refs = map.get(value) ?? [];
    if (!refs.includes(ref)) map.set(value, [...refs, ref]);
  };
  for (const { ref, contact } of await contactRows(context)) {
    const type = textOf(contact, names.contactType);
    if (type === names.phoneType) {
      add(index.phones, lastTen(textOf(contact, names.contactPhone)), ref);
      add(index.phones, lastTen(textOf(contact, names.contactText)), ref);
    } else if (type === names.emailType) {
      add(index.emails, emailOf(names, contact), ref);
    }
  }
  return index;
}

async function contactRows(context: ReaderContext): Promise<{ ref: string; contact: OnecEntity }[]> {
  const { odata, mapping } = context;
  const names = mapping.catalogs.counterparty;
  if (names.contacts === undefined) return [];
  const columns = [names.contactType, names.contactText, names.contactPhone, names.contactEmail];
  const select = ['Ref_Key', ...new Set(columns.filter((name) => name !== undefined))];
  const query = { select, orderby: 'Ref_Key,LineNumber', pageSize: 1000 };
  try {
    const rows = await collect(odata.pages(`${names.set}_${names.contacts}`, query));
    return rows.flatMap((contact) => {
      const ref = refOf(contact, 'Ref_Key');
      return ref === undefined ? [] : [{ ref, contact }];
    });
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  // Some bases do not show table parts as sets of their own; inside the counterparties they always stand.
  const whole = { select: ['Ref_Key', names.contacts], orderby: 'Description', pageSize: mapping.server.pageSize };
  const rows = await collect(odata.pages(names.set, whole));
  return rows.flatMap((row) => {
    const ref = refOf(row, 'Ref_Key');
    return ref === undefined ? [] : rowsOf(row, names.contacts).map((contact) => ({ ref, contact }));
  });
}

/** Best first: without an id of amoCRM, then by the oldest code. Marked ones are left out, and what is gone. */
async function usableInOrder(context: ReaderContext, marks: MarkReader, refs: readonly string[]): Promise<string[]> {
  if (refs.length === 0) return [];
  const { set } = context.mapping.catalogs.counterparty;
  const rows = await context.odata.byRefs(set, refs, ['Ref_Key', 'Code', 'DeletionMark']);
  const usable = refs.filter((ref) => {
    const row = rows.get(ref);
    return row !== undefined && !flagOf(row, 'DeletionMark');
  });
  // Ids only matter where one contact leads to several clients.
  const ids = usable.length > 1 ? await marks.marks(set, usable) : new Map<string, { amoId?: number }>();
  const rank = (ref: string) => `${ids.get(ref)?.amoId === undefined ? 0 : 1}${textOf(rows.get(ref) ?? {}, 'Code')}`;
  return usable.sort((a, b) => rank(a).localeCompare(rank(b), 'en') || a.localeCompare(b, 'en'));
}
