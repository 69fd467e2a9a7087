import { RemoteError } from '../../../base/remote-error.ts';
import { parsePhone } from '../../../domain/phone.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory, IndexedEntity, IndexedPerson } from '../memory.ts';
import { mayFilter } from '../probed.ts';
import type { Person } from '../schema.ts';

/** Rows changed within the last moments may be missing from a list; integrators read ten minutes again. */
const OVERLAP_S = 600;
const PAGE = 250;

/** How far the index of an entity is filled. Times are unix seconds. */
interface FillState {
  complete: boolean;
  /** The next page of the first fill. */
  page: number;
  /** Read by the fill so far. */
  people: number;
  startedAt: number;
  syncedAt: number;
}

export interface IndexProgress {
  entity: IndexedEntity;
  pages: number;
  people: number;
  complete: boolean;
}

export interface PeopleIndexOptions {
  client: AmocrmClient;
  memory: AmoMemory;
  /** ISO 3166-1 alpha-2: for numbers stored without a country code. */
  country: string;
  now: () => Date;
  /** Ends a fill between two pages; it goes on there the next time. */
  signal: AbortSignal;
}

/** Ids of custom fields that hold phones and e-mails beside those with the codes PHONE and EMAIL. */
export interface PeopleFields {
  phones: readonly number[];
  emails: readonly number[];
}

const NO_FIELDS: PeopleFields = { phones: [], emails: [] };

/** Phones and e-mails of an account's contacts and companies, kept by pages of what changed. */
export function peopleIndex({ client, memory, country, now, signal }: PeopleIndexOptions) {
  const synced = new Set<IndexedEntity>();
  const list = (entity: IndexedEntity) => (entity === 'contacts' ? client.listContacts : client.listCompanies);
  const also = { phones: new Set<number>(), emails: new Set<number>() };
  const factKey = (entity: IndexedEntity) => `amo_index:${entity}`;

  async function state(entity: IndexedEntity): Promise<FillState> {
    const text = await memory.fact(factKey(entity));
    if (text !== undefined) return JSON.parse(text) as FillState;
    return { complete: false, page: 1, people: 0, startedAt: Math.floor(now().getTime() / 1000), syncedAt: 0 };
  }

  const save = (entity: IndexedEntity, fill: FillState) => memory.setFact(factKey(entity), JSON.stringify(fill));

  function indexed(person: Person): IndexedPerson {
    const fields = { phones: [...also.phones], emails: [...also.emails] };
    return { id: person.id, phones: phonesOf(person, country, fields), emails: emailsOf(person, fields) };
  }

  /** These fields are read, too, from now on; what was read before stays as it is. */
  function alsoIn({ phones, emails }: PeopleFields): void {
    for (const id of phones) also.phones.add(id);
    for (const id of emails) also.emails.add(id);
  }

  /** One page of the first fill, in order of id; ends with a page that is not full. */
  async function fillPage(entity: IndexedEntity, fill: FillState): Promise<FillState> {
    const page = await list(entity)({ page: fill.page, limit: PAGE, order: { by: 'id', direction: 'asc' } });
    await memory.index.put(entity, page.rows.filter((row) => !row.isDeleted).map(indexed));
    const complete = page.rows.length < PAGE;
    const people = fill.people + page.rows.length;
    const next = { ...fill, page: fill.page + 1, people, complete, syncedAt: complete ? fill.startedAt : 0 };
    await save(entity, next);
    return next;
  }

  /** Filters are a capability of the account: where it lacks, a filter may be refused, and the order alone must do. */
  async function changed(entity: IndexedEntity, page: number, updatedFrom: Date) {
    const query = { page, limit: PAGE, order: { by: 'updated_at', direction: 'desc' } } as const;
    if (!(await mayFilter(memory, 'contacts'))) return list(entity)(query);
    try {
      return await list(entity)({ ...query, updatedFrom });
    } catch (error) {
      if (error instanceof RemoteError && error.status === 400) return list(entity)(query);
      throw error;
    }
  }

  /** What changed since the last time. Where the filter or the order is ignored, the whole list is read. */
  async function syncChanges(entity: IndexedEntity, fill: FillState): Promise<void> {
    const from = fill.syncedAt - OVERLAP_S;
    const startedAt = Math.floor(now().getTime() / 1000);
    let previous = Number.POSITIVE_INFINITY;
    let previousId = 0;
    let ordered = true;
    // A list by id looks ordered as well where an import gave all its rows one time.
    let byId = true;
    for (let number = 1; ; number++) {
      const page = await changed(entity, number, new Date(Math.max(from, 0) * 1000));
      for (const row of page.rows) {
        if (row.updatedAt > previous) ordered = false;
        if (row.id < previousId) byId = false;
        previous = row.updatedAt;
        previousId = row.id;
      }
      await memory.index.put(entity, page.rows.filter((row) => !row.isDeleted).map(indexed));
      if (page.rows.length < PAGE || (ordered && !byId && previous < from)) break;
    }
    await save(entity, { ...fill, syncedAt: startedAt });
  }

  /** Fills the index to the end, from where an earlier fill stopped. */
  async function fill(entity: IndexedEntity, full: boolean, report: (progress: IndexProgress) => void): Promise<void> {
    const startedAt = Math.floor(now().getTime() / 1000);
    let current = full ? { complete: false, page: 1, people: 0, startedAt, syncedAt: 0 } : await state(entity);
    if (current.complete) {
      await syncChanges(entity, current);
      report({ entity, pages: current.page - 1, people: current.people, complete: true });
    }
    while (!current.complete && !signal.aborted) {
      current = await fillPage(entity, current);
      report({ entity, pages: current.page - 1, people: current.people, complete: current.complete });
    }
  }

  /**
   * Brings the index up to date for these unknown phones and e-mails. While the first fill is not done, it is gone on with
   * where the account turns out to be small: one probe tells whether as many pages as there are unknown ones would end it.
   * In a larger account a search for each of them costs fewer requests.
   */
  async function refresh(
    entity: IndexedEntity,
    phones: readonly string[],
    emails: readonly string[] = [],
  ): Promise<void> {
    const unknown = [...phones.map(searchedPhone), ...emails];
    const fillState = await state(entity);
    if (fillState.complete) {
      if (!synced.has(entity)) await syncChanges(entity, fillState);
      synced.add(entity);
      return;
    }
    // People who were deleted since the last run have moved the others up, so that one page is read again.
    const resumed = fillState.page > 1;
    let current = await fillPage(entity, resumed ? { ...fillState, page: fillState.page - 1 } : fillState);
    if (resumed && !current.complete) current = await fillPage(entity, current);
    if (!current.complete && (await endsWithin(entity, current.page + unknown.length - 1))) {
      while (!current.complete && !signal.aborted) current = await fillPage(entity, current);
    }
    if (current.complete) {
      // Pages that an earlier run read may have changed since.
      if (fillState.page > 1) await syncChanges(entity, current);
      synced.add(entity);
      return;
    }
    for (const query of unknown) await search(entity, query);
  }

  async function endsWithin(entity: IndexedEntity, number: number): Promise<boolean> {
    const page = await list(entity)({ page: number, limit: PAGE, order: { by: 'id', direction: 'asc' } });
    return page.rows.length < PAGE;
  }

  /** The hits are compared by us: a search reads every field. */
  async function search(entity: IndexedEntity, query: string): Promise<void> {
    const found = await list(entity)({ page: 1, limit: PAGE, query });
    await memory.index.put(entity, found.rows.filter((row) => !row.isDeleted).map(indexed));
  }

  return { fill, refresh, indexed, alsoIn };
}

export type PeopleIndex = ReturnType<typeof peopleIndex>;

/** Stored formats vary (`8…`, `+7…`, blanks), so the last ten digits are searched for. */
function searchedPhone(phone: string): string {
  return phone.replace(/\D/g, '').slice(-10);
}

/** Only what stands in PHONE or in these fields: a search also matches other fields, and strangers were overwritten that way. */
export function phonesOf(person: Person, country: string, { phones }: PeopleFields = NO_FIELDS): string[] {
  return valuesOf(person, 'PHONE', phones)
    .map((text) => parsePhone(text, country))
    .filter((phone) => phone !== undefined);
}

export function emailsOf(person: Person, { emails }: PeopleFields = NO_FIELDS): string[] {
  return valuesOf(person, 'EMAIL', emails).map((text) => text.trim().toLowerCase());
}

function valuesOf(person: Person, code: string, fieldIds: readonly number[]): string[] {
  return person.fields
    .filter((field) => field.code === code || fieldIds.includes(field.fieldId))
    .flatMap((field) => field.values.map(({ value }) => (typeof value === 'string' ? value : String(value ?? ''))));
}
