import type { Json } from '../../base/schema.ts';
import type {
  OnecChainType,
  OnecClient,
  OnecDocument,
  OnecDocumentType,
  OnecHead,
  OnecLocal,
  OnecMarks,
  OnecRef,
} from '../../domain/onec.ts';
import type { Range } from '../../domain/range.ts';

/** An entity as 1C's OData gives it: `Ref_Key`, `DataVersion`, table parts as lists. */
export type OnecEntity = { [property: string]: Json };

export interface OnecQuery {
  /** OData v3, unencoded; the client encodes it, a blank as %20. */
  filter?: string;
  select?: readonly string[];
  orderby?: string;
  top?: number;
  skip?: number;
}

/**
 * The key of a record of an independent register: every dimension by its own name (`Свойство_Key` of one type, `Объект` of
 * several, whose `set` it then needs), and `Period` as local time where the register is periodic.
 */
export type OnecRecordKey = {
  [dimension: string]: { guid: string } | { guid: string; set: string } | { at: OnecLocal };
};

/**
 * 1C's standard OData interface, one function a kind of request. Errors are `RemoteError`s whose `outcome` is honest:
 * a refusal of a handler (500 with code -1) is `refused` and carries 1C's own words in `message`, shortened; a lock is
 * tried again by the client a few times and then is `refused` and transient; 502, HTML, a cut answer is `in-doubt`.
 */
export interface OnecOdata {
  list(set: string, query: OnecQuery): Promise<OnecEntity[]>;
  /** Page after page in a stable order, smaller after a failure. Ends at a page that is not full. */
  pages(set: string, query: OnecQuery & { pageSize: number }): AsyncGenerator<OnecEntity[]>;
  /** Entities by reference, 20 a request; what is gone is absent. Keys are lower-case guids. */
  byRefs(set: string, refs: readonly string[], select?: readonly string[]): Promise<Map<string, OnecEntity>>;
  /** Undefined where there is none (404, code 9). */
  get(set: string, ref: string): Promise<OnecEntity | undefined>;
  /** The new object, whole, as 1C answers it. `onSend` right before the socket is written to. */
  create(set: string, body: OnecEntity, onSend?: () => Promise<void>): Promise<OnecEntity>;
  /** Named properties alone; a table part is replaced whole. `dataVersion` is sent as If-Match. */
  change(
    set: string,
    ref: string,
    body: OnecEntity,
    options?: { dataVersion?: string; onSend?: () => Promise<void> },
  ): Promise<OnecEntity>;
  /** POST …/Post?PostingModeOperational=false. Posting what is posted is no error. */
  post(set: string, ref: string, onSend?: () => Promise<void>): Promise<void>;
  /** A record of an independent register: made, or changed where it exists (400, code 15). */
  putRecord(set: string, key: OnecRecordKey, values: OnecEntity, onSend?: () => Promise<void>): Promise<void>;
  /** Entity type name → its properties, of these sets alone; read rarely, since it weighs megabytes. */
  metadata(): Promise<OnecMetadata>;
  /** 1C's clock by the Date header of its last answer, in its own zone; our clock where none was had yet. */
  localNow(): OnecLocal;
}

export interface OnecMetadata {
  /** Of the whole document: another hash means that the configuration has changed. */
  hash: string;
  /** Set → names of its properties, table parts among them; `Set_Table` → the table part's columns. */
  sets: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A text guid as OData wants it. */
export const guid = (ref: string): string => `guid'${ref}'`;
/** A composite reference in a filter: `X eq guid'…'` gives an empty result and no error, so it is always cast. */
export const castRef = (ref: string, type: string): string => `cast(guid'${ref}','${type}')`;

export type OnecPropertyName = 'lead' | 'client' | 'item' | 'exportedAt' | 'updatedAt' | 'writtenAt';

export interface OnecProperty {
  ref: string;
  /** Where kinds of objects have properties of their own by the same name: entity set → the reference that its objects use. */
  own?: Readonly<Record<string, string>>;
  /** How values of it are written. */
  type: 'Edm.Double' | 'Edm.String' | 'Edm.DateTime';
}

/**
 * 1C as the mapping describes it. Loads reference data once a run and keeps what changes rarely in the cache between runs.
 * A document that cannot be read (gone, a broken row) is a `RecordFault` in the answer, never an exception for the rest.
 */
export interface OnecReader {
  /**
   * Documents of both kinds whose date, or time of writing, is in the range; each document once; pages of heads. Those that are
   * marked for deletion only where they are asked for.
   */
  heads(range: Range, how?: { marked?: boolean }): AsyncGenerator<OnecHead[]>;
  /** Whole documents by their heads, in batches: lines, client, names, states, marks. */
  documents(heads: readonly OnecHead[]): Promise<Map<string, OnecDocument | Error>>;
  head(ref: string): Promise<OnecHead | undefined>;
  /** Heads by their numbers, of either kind; several years may have the same one. */
  headsByNumber(number: string): Promise<OnecHead[]>;
  /** Current state and DataVersion of documents, in batches. */
  states(
    type: OnecDocumentType,
    refs: readonly string[],
  ): Promise<Map<string, { state: OnecRef | undefined; dataVersion: string; posted: boolean; deletionMark: boolean }>>;
  /** Marks of objects of one set. A filter that lies is found out by a record known to exist; then the whole register is read. */
  marks(set: string, refs: readonly string[]): Promise<Map<string, OnecMarks>>;
  /** Objects of a kind by the amoCRM id that stands in their additional information; oldest code first. */
  byAmoId(
    property: 'lead' | 'client' | 'item',
    ids: readonly number[],
  ): Promise<Map<number, { set: string; ref: string }[]>>;
  /** Counterparties by phone (E.164; compared by the last ten digits) or e-mail: best first, marked ones left out. */
  clientsByContact(wanted: { phones: readonly string[]; emails: readonly string[] }): Promise<{
    phone: ReadonlyMap<string, readonly string[]>;
    email: ReadonlyMap<string, readonly string[]>;
  }>;
  /** Items by article (compared in its search form) and maker's name; folders and marked ones left out. `unit` is a name. */
  itemsByArticle(
    articles: readonly string[],
  ): Promise<
    { ref: string; code: string; article: string; maker: string; name: string; unit: string; unitRef?: string }[]
  >;
  itemsByName(
    names: readonly string[],
  ): Promise<
    { ref: string; code: string; article: string; maker: string; name: string; unit: string; unitRef?: string }[]
  >;
  /** Works by article or code, and by name. */
  works(wanted: {
    articles: readonly string[];
    names: readonly string[];
  }): Promise<{ ref: string; code: string; article: string; name: string }[]>;
  makersByName(names: readonly string[]): Promise<Map<string, string>>;
  /** Counterparty → its contracts that are not marked, the main one first. */
  contractsOf(refs: readonly string[]): Promise<Map<string, string[]>>;
  /** Documents of a kind whose comment holds a marker of ours, dated from here on: deal → ref. */
  markedDocuments(type: OnecChainType, from: OnecLocal): Promise<Map<number, string>>;
  /** Every state by its name and by its predefined name, lower case. */
  statesByName(): Promise<ReadonlyMap<string, OnecRef>>;
  /**
   * The references that `defaults`, `operations` and status rows name, by role (`warehouse`), `operation.workOrder`, `phoneKind`,
   * `emailKind`, `organization:<name>`, `department:<name>` (names in lower case); what cannot be found is a fault with its path.
   */
  resolveDefaults(): Promise<{
    refs: ReadonlyMap<string, string>;
    faults: readonly string[];
    /** Roles that only the preset has named, or nobody, and of which this base has not just one. */
    unsure: readonly string[];
  }>;
  /** Properties by their names; missing or doubled ones are faults. */
  properties(): Promise<{ found: ReadonlyMap<OnecPropertyName, OnecProperty>; faults: readonly string[] }>;
  /**
   * Every name of the mapping against $metadata, as `path: what is not there`: `essential` ones stop the job, the others are left out
   * (`withoutMissing`) and warned of. Remembered for a week unless asked for fresh.
   */
  checkNames(how?: { fresh?: boolean }): Promise<{ essential: readonly string[]; missing: readonly string[] }>;
  /** References of every counterparty that is not marked for deletion, page by page. */
  counterparties(): AsyncGenerator<string[]>;
  /** Clients, whole, in batches; those that are gone are absent. */
  clients(refs: readonly string[]): Promise<Map<string, OnecClient>>;
  /** One client, whole. */
  client(ref: string): Promise<OnecClient | undefined>;
}
