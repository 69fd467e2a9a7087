import { RemoteError } from '../../base/remote-error.ts';
import type { Json, Schema } from '../../base/schema.ts';
import type { SystemHttp } from '../../http/core.ts';
import { all, byIds, chunks, PAGE_LIMIT, type QueryPart, queryString } from './lists.ts';
import {
  accountSchema,
  type CatalogElement,
  catalogSchema,
  type Deal,
  dealSchema,
  type ElementLink,
  elementSchema,
  fieldSchema,
  linkSchema,
  lossReasonSchema,
  type Note,
  noteSchema,
  type Person,
  pageOf,
  personSchema,
  pipelineSchema,
  userSchema,
  type Written,
  writtenOf,
} from './schema.ts';
import {
  type CompanyLink,
  type DealChange,
  type NewDeal,
  type NewElement,
  type NewLink,
  type NewNote,
  type NewPerson,
  type PersonChange,
  type Unlink,
  wireCompanyLink,
  wireDealChange,
  wireLink,
  wireNewDeal,
  wireNewElement,
  wireNewNote,
  wireNewPerson,
  wirePersonChange,
  wireUnlink,
} from './write.ts';

/** What has custom fields of its own. */
export type FieldOwner = 'deals' | 'contacts' | 'companies' | { catalogId: number };
export type NoteOwner = 'deals' | 'contacts' | 'companies';
type OnSend = () => Promise<void>;

export interface ListQuery {
  /** From 1. */
  page: number;
  /** Rows a page; default and at most 250. */
  limit?: number;
  order?: { by: 'id' | 'created_at' | 'updated_at'; direction: 'asc' | 'desc' };
  /** Both bounds are inclusive and have one second's resolution. Where the account takes no filters they are ignored: check each row. */
  updatedFrom?: Date;
  updatedTo?: Date;
  createdFrom?: Date;
  /** Full-text search; its index lags behind writes by a second or more. */
  query?: string;
  /** Rows with these ids alone; to be checked row by row like every filter. */
  ids?: readonly number[];
  /** Exact values of a custom field; to be checked row by row like every filter. */
  field?: { id: number; values: readonly string[] };
  with?: readonly string[];
}

const ROOT = '/api/v4';
const WIRE_NAMES = { deals: 'leads', contacts: 'contacts', companies: 'companies' } as const;
/** Notes of 250 deals are rarely more than a few pages; a bound all the same. */
const MAX_NOTE_PAGES = 200;
/** Not paid for, not allowed, not there (amocrm-api-php, exceptions). */
const NO_LISTS: ReadonlySet<number> = new Set([402, 403, 404]);

const dealPage = pageOf('leads', dealSchema);
const contactPage = pageOf('contacts', personSchema);
const companyPage = pageOf('companies', personSchema);
const elementPage = pageOf('elements', elementSchema);
const notePage = pageOf('notes', noteSchema);
const fieldPage = pageOf('custom_fields', fieldSchema);
const catalogPage = pageOf('catalogs', catalogSchema);
const pipelinePage = pageOf('pipelines', pipelineSchema);
const userPage = pageOf('users', userSchema);
const lossReasonPage = pageOf('loss_reasons', lossReasonSchema);
const linksAnswer = pageOf('links', linkSchema);
const nothing: Schema<undefined> = { parse: () => undefined };

export type AmocrmClient = ReturnType<typeof amocrmClient>;

/**
 * amoCRM's and Kommo's API v4, one function an endpoint. Errors are `RemoteError`s of the core; a refused batch names its faults in `answer`
 * (see `validationErrors`). A batch is taken whole or not at all; its size is the caller's business (50 is what the vendor recommends).
 * `onSend` is called right before the socket is written to. `mayFilter` says whether it is worth asking this account with filters.
 */
export function amocrmClient(
  http: SystemHttp,
  mayFilter: (rows: 'deals' | 'contacts') => Promise<boolean> = async () => true,
) {
  const get = <T>(route: string, path: string, schema: Schema<T>, parts: readonly QueryPart[] = []) =>
    http.request({ method: 'GET', path: `${ROOT}${path}`, route, query: queryString(parts), schema });

  const send = <T>(
    method: 'POST' | 'PATCH',
    route: string,
    path: string,
    schema: Schema<T>,
    body: Json,
    onSend?: OnSend,
  ) => http.request({ method, path: `${ROOT}${path}`, route, body, schema, ...(onSend ? { onSend } : {}) });

  /** A row by its id; unknown ids are answered 204, and 404 by some endpoints. */
  async function single<T>(route: string, path: string, schema: { optional(): Schema<T | undefined> }, withs: With) {
    try {
      return await get(route, path, schema.optional(), withPart(withs));
    } catch (error) {
      if (error instanceof RemoteError && error.status === 404) return undefined;
      throw error;
    }
  }

  const dealsById = byIds<Deal>(() => mayFilter('deals'));
  const contactsById = byIds<Person>(() => mayFilter('contacts'));
  const companiesById = byIds<Person>(() => mayFilter('contacts'));
  // Whether elements can be asked for by id shows in the first answer.
  const elementsById = byIds<CatalogElement>(async () => true);

  const listDeals = (query: ListQuery) => get('leads.list', '/leads', dealPage, listParts(query));
  const listContacts = (query: ListQuery) => get('contacts.list', '/contacts', contactPage, listParts(query));
  const listCompanies = (query: ListQuery) => get('companies.list', '/companies', companyPage, listParts(query));
  const listElements = (catalogId: number, query: ListQuery) =>
    get('elements.list', `/catalogs/${catalogId}/elements`, elementPage, listParts(query));

  const dealsByIds = (ids: readonly number[], withs: With = []) =>
    dealsById(ids, {
      many: async (some) => (await get('leads.byId', '/leads', dealPage, idParts(some, withs))).rows,
      one: (id) => single('leads.get', `/leads/${id}`, dealSchema, withs),
      refusesFilters,
    });

  return {
    /** The account that the token belongs to; the cheapest sign of life. `withs`: `datetime_settings`, `is_api_filter_enabled`, … */
    getAccount: (withs: With = []) => get('account.get', '/account', accountSchema, withPart(withs)),
    /** Pipelines with their stages, archived ones too. */
    listPipelines: async () => (await get('pipelines.list', '/leads/pipelines', pipelinePage)).rows,
    /** Needs an administrator's token. */
    listUsers: () => all((page, limit) => get('users.list', '/users', userPage, listParts({ page, limit }))),
    listLossReasons: () =>
      all((page, limit) => get('lossReasons.list', '/leads/loss_reasons', lossReasonPage, listParts({ page, limit }))),
    listFields: (owner: FieldOwner) =>
      all((page, limit) =>
        get('fields.list', `/${fieldOwnerPath(owner)}/custom_fields`, fieldPage, listParts({ page, limit })),
      ),
    /** None on plans without lists, or where the token's user may not see them. */
    listCatalogs: () => listCatalogs(get),
    /** False where the plan or the user's rights know no lists (402, 403 or 404 with JSON), or where this catalog is not among them. */
    catalogAvailable: (catalogId: number) => catalogAvailable(get, catalogId),

    listDeals,
    listContacts,
    listCompanies,
    listElements,
    dealsByIds,
    contactsByIds: (ids: readonly number[], withs: With = []) =>
      contactsById(ids, {
        many: async (some) => (await get('contacts.byId', '/contacts', contactPage, idParts(some, withs))).rows,
        one: (id) => single('contacts.get', `/contacts/${id}`, personSchema, withs),
        refusesFilters,
      }),
    companiesByIds: (ids: readonly number[], withs: With = []) =>
      companiesById(ids, {
        many: async (some) => (await get('companies.byId', '/companies', companyPage, idParts(some, withs))).rows,
        one: (id) => single('companies.get', `/companies/${id}`, personSchema, withs),
        refusesFilters,
      }),
    /** Elements of one catalog; those that are gone are absent. */
    elementsByIds: (catalogId: number, ids: readonly number[]) =>
      elementsById(ids, {
        many: async (some) =>
          (await get('elements.byId', `/catalogs/${catalogId}/elements`, elementPage, idParts(some, []))).rows,
        one: (id) => single('elements.get', `/catalogs/${catalogId}/elements/${id}`, elementSchema, []),
        refusesFilters,
      }),
    /** At most 250 hits of the full-text search. It reads every field, so that a hit proves nothing before its PHONE or e-mail values are compared. */
    searchContacts: async (query: string) => (await listContacts({ page: 1, query })).rows,
    searchElements: async (catalogId: number, query: string) =>
      (await listElements(catalogId, { page: 1, query })).rows,

    createDeals: (deals: readonly NewDeal[], onSend?: OnSend) =>
      send('POST', 'leads.create', '/leads', writtenOf('leads'), deals.map(wireNewDeal), onSend).then(idsByRequest),
    updateDeals: (changes: readonly DealChange[], onSend?: OnSend) =>
      send('PATCH', 'leads.update', '/leads', writtenOf('leads'), changes.map(wireDealChange), onSend).then(writtenIds),
    createContacts: (contacts: readonly NewPerson[], onSend?: OnSend) =>
      send('POST', 'contacts.create', '/contacts', writtenOf('contacts'), contacts.map(wireNewPerson), onSend).then(
        idsByRequest,
      ),
    createCompanies: (companies: readonly NewPerson[], onSend?: OnSend) =>
      send('POST', 'companies.create', '/companies', writtenOf('companies'), companies.map(wireNewPerson), onSend).then(
        idsByRequest,
      ),
    updateContacts: (changes: readonly PersonChange[], onSend?: OnSend) =>
      send('PATCH', 'contacts.update', '/contacts', writtenOf('contacts'), changes.map(wirePersonChange), onSend).then(
        writtenIds,
      ),
    createElements: (catalogId: number, elements: readonly NewElement[], onSend?: OnSend) =>
      send(
        'POST',
        'elements.create',
        `/catalogs/${catalogId}/elements`,
        writtenOf('elements'),
        elements.map(wireNewElement),
        onSend,
      ).then(idsByRequest),

    /** Answers how many links the server says it made; large batches were seen to lose some, so read them back with `linksOfDeals`. */
    linkDeals: async (links: readonly NewLink[], onSend?: OnSend) =>
      (await send('POST', 'links.create', '/leads/link', linksAnswer, links.map(wireLink), onSend)).rows.length,
    /** Answers how many links the server says it made. */
    linkCompanies: async (links: readonly CompanyLink[], onSend?: OnSend) =>
      (await send('POST', 'contacts.link', '/contacts/link', linksAnswer, links.map(wireCompanyLink), onSend)).rows
        .length,
    unlinkDeals: (links: readonly Unlink[], onSend?: OnSend) =>
      send('POST', 'links.delete', '/leads/unlink', nothing, links.map(wireUnlink), onSend),
    /**
     * The goods on each deal; a deal that is gone is absent, one without goods has an empty list.
     * Read with the deals themselves: `GET /leads/links` cannot tell "no links" from "filter ignored", a deal by its id can.
     */
    linksOfDeals: async (ids: readonly number[]): Promise<Map<number, ElementLink[]>> => {
      const deals = await dealsByIds(ids, ['catalog_elements']);
      return new Map([...deals].map(([id, deal]) => [id, deal.elements]));
    },

    createNotes: (owner: NoteOwner, notes: readonly NewNote[], onSend?: OnSend) =>
      send(
        'POST',
        'notes.create',
        `/${WIRE_NAMES[owner]}/notes`,
        writtenOf('notes'),
        notes.map(wireNewNote),
        onSend,
      ).then(idsByRequest),
    /** The plain (`common`) notes of each deal asked for; a deal without any has an empty list. */
    notesOfDeals: (ids: readonly number[]) => notesOfDeals(get, ids),
  };
}

type With = readonly string[];
type Get = <T>(route: string, path: string, schema: Schema<T>, parts?: readonly QueryPart[]) => Promise<T>;

function listCatalogs(get: Get) {
  return all((page, limit) => get('catalogs.list', '/catalogs', catalogPage, listParts({ page, limit })));
}

async function catalogAvailable(get: Get, catalogId: number): Promise<boolean> {
  try {
    return (await listCatalogs(get)).some(({ id }) => id === catalogId);
  } catch (error) {
    // Without JSON it is a wall before amoCRM that speaks, and says nothing of lists.
    const noLists = error instanceof RemoteError && error.answer !== undefined && NO_LISTS.has(error.status ?? 0);
    if (noLists) return false;
    throw error;
  }
}

async function notesOfDeals(get: Get, ids: readonly number[]): Promise<Map<number, Note[]>> {
  const notes = new Map<number, Note[]>([...new Set(ids)].map((id) => [id, []]));
  const keep = (rows: readonly Note[]) => {
    for (const row of rows) if (row.type === 'common') notes.get(row.entityId)?.push(row);
  };
  const common: QueryPart = ['filter[note_type][]', ['common']];
  for (const chunk of chunks([...notes.keys()], PAGE_LIMIT)) {
    const asked = new Set(chunk);
    const parts: QueryPart[] = [['filter[entity_id][]', chunk], common];
    const rows = await all(
      async (page, limit) => {
        const got = await get('notes.list', '/leads/notes', notePage, [...listParts({ page, limit }), ...parts]);
        // A stranger means that the filter is ignored; the rest of the account's notes need not be read to know it.
        if (got.rows.some((row) => !asked.has(row.entityId))) throw new FilterIgnored();
        return got;
      },
      { maxPages: MAX_NOTE_PAGES },
    ).catch((error: unknown) => {
      if (error instanceof FilterIgnored || refusesFilters(error)) return undefined;
      throw error;
    });
    if (rows) keep(rows);
    else for (const id of chunk) keep(await notesOfDeal(get, id));
  }
  return notes;
}

/** Without any filter: the address itself names the deal. */
function notesOfDeal(get: Get, id: number): Promise<Note[]> {
  return all((page, limit) => get('notes.ofDeal', `/leads/${id}/notes`, notePage, listParts({ page, limit })), {
    maxPages: MAX_NOTE_PAGES,
  });
}

class FilterIgnored extends Error {}

/** "Invalid filter for current account" is a 400 without validation errors; its text is localised, so the status has to do. */
function refusesFilters(error: unknown): boolean {
  return error instanceof RemoteError && error.status === 400;
}

function listParts(query: ListQuery): QueryPart[] {
  const order = query.order;
  return [
    ['page', query.page],
    ['limit', query.limit ?? PAGE_LIMIT],
    ...withPart(query.with ?? []),
    ...(order ? [[`order[${order.by}]`, order.direction] as const] : []),
    ['filter[updated_at][from]', unixSeconds(query.updatedFrom)],
    ['filter[updated_at][to]', unixSeconds(query.updatedTo)],
    ['filter[created_at][from]', unixSeconds(query.createdFrom)],
    ...(query.field ? [[`filter[custom_fields_values][${query.field.id}][]`, query.field.values] as const] : []),
    ['filter[id][]', query.ids],
    ['query', query.query],
  ];
}

function idParts(ids: readonly number[], withs: With): QueryPart[] {
  return [['limit', PAGE_LIMIT], ...withPart(withs), ['filter[id][]', ids]];
}

function withPart(withs: With): QueryPart[] {
  return withs.length === 0 ? [] : [['with', withs.join(',')]];
}

/** Rounded down, so that a lower bound never skips the second it falls into. */
function unixSeconds(date: Date | undefined): number | undefined {
  return date === undefined ? undefined : Math.floor(date.getTime() / 1000);
}

function fieldOwnerPath(owner: FieldOwner): string {
  return typeof owner === 'string' ? WIRE_NAMES[owner] : `catalogs/${owner.catalogId}`;
}

/** Ids by the `requestId` of the item; an item that the answer does not name is absent, and thereby in doubt. */
function idsByRequest(written: readonly Written[]): Map<string, number> {
  return new Map(written.flatMap((row) => (row.requestId === undefined ? [] : [[row.requestId, row.id] as const])));
}

function writtenIds(written: readonly Written[]): Set<number> {
  return new Set(written.map((row) => row.id));
}
