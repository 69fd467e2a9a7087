import type { Template } from '../base/template.ts';

/** Where a thing of a catalog is found: by guid, code, name or predefined name. */
export type OnecLocator =
  | { readonly set: string; readonly guid: string }
  | { readonly set: string; readonly code: string }
  | { readonly set: string; readonly description: string }
  | { readonly set: string; readonly predefined: string };

/** Names of a table part's columns. */
export interface OnecTable {
  readonly table: string;
  readonly item: string;
  readonly qty: string;
  readonly price: string;
  readonly sum: string | undefined;
  readonly total: string | undefined;
  readonly unit: string | undefined;
  readonly factor: string | undefined;
  readonly vat: string | undefined;
  readonly vatSum: string | undefined;
  /** A column that identifies the row (works: ИдентификаторРаботы). */
  readonly id: string | undefined;
}

export type OnecState =
  | { readonly kind: 'field'; readonly field: string; readonly catalog: string }
  | {
      readonly kind: 'register';
      readonly set: string;
      readonly object: string;
      readonly value: string;
      readonly catalog: string;
    };

/** Names of a document's properties. Absent ones are neither read nor written. */
export interface OnecDocumentMapping {
  readonly set: string;
  /** Whether it is posted once it is made. */
  readonly post: boolean;
  readonly number: string;
  readonly date: string;
  readonly posted: string;
  readonly comment: string | undefined;
  readonly amount: string | undefined;
  readonly reason: string | undefined;
  readonly recommendations: string | undefined;
  readonly recommendedParts: string | undefined;
  readonly car: string | undefined;
  readonly carId: string | undefined;
  readonly phone: string | undefined;
  readonly email: string | undefined;
  /** References, each filled from the client, the status row or `defaults` of the same name. */
  readonly counterparty: string | undefined;
  readonly customer: string | undefined;
  readonly contract: string | undefined;
  readonly organization: string | undefined;
  readonly department: string | undefined;
  readonly warehouse: string | undefined;
  readonly priceType: string | undefined;
  readonly workPriceType: string | undefined;
  readonly repairKind: string | undefined;
  readonly workshop: string | undefined;
  readonly operation: string | undefined;
  readonly currency: string | undefined;
  readonly author: string | undefined;
  readonly manager: string | undefined;
  /** The date by which the goods are due (СрокПоставки), filled with the document's own date. */
  readonly due: string | undefined;
  readonly base: { readonly field: string; readonly typed: boolean } | undefined;
  /** The reference to the repair summary. */
  readonly chain: string | undefined;
  readonly state: OnecState | undefined;
  readonly goods: OnecTable | undefined;
  readonly works: OnecTable | undefined;
}

/** Roles whose references `defaults` may give. */
export type OnecRole =
  | 'organization'
  | 'department'
  | 'warehouse'
  | 'priceType'
  | 'workPriceType'
  | 'vat'
  | 'repairKind'
  | 'workshop'
  | 'currency'
  | 'author'
  | 'manager'
  | 'unit'
  | 'itemType'
  | 'workItem'
  | 'workType'
  | 'itemFolder'
  | 'workFolder'
  | 'counterpartyFolder';

export type OnecScalar = string | number | boolean;
export type OnecDocKey = 'workOrder' | 'customerOrder' | 'repairRequest' | 'repairSummary';

/** One row of the table of stages. `null`: for any. */
export interface OnecStatusRow {
  readonly pipeline: number;
  readonly status: number;
  /** The state's name in 1C (or its predefined name); null: the pipeline's own row, of no state. */
  readonly state: string | null;
  readonly organization: string | null;
  readonly department: string | null;
  /** The stage to take where several fit one state. */
  readonly default: boolean;
}

/** The `onec` part of the mapping, preset and overrides merged. */
export interface OnecMapping {
  readonly preset: 'alfa-auto-6' | 'ut-11' | 'unf' | 'none';
  /** Places of 1C's names that the operator gave in the place of the preset's (`onec.documents.workOrder.reason`). */
  readonly named?: readonly string[];
  readonly server: {
    /** IANA; absent: ONEC_TIMEZONE. */
    readonly timeZone: string | undefined;
    readonly pageSize: number;
    readonly ifMatch: 'auto' | 'always' | 'never';
    /** Absent: HTTP_TIMEOUT_MS, else 60 and 180. */
    readonly requestTimeoutSec: number | undefined;
    readonly firstRequestTimeoutSec: number | undefined;
  };
  readonly documents: { readonly [Type in OnecDocKey]: OnecDocumentMapping | undefined };
  readonly catalogs: {
    readonly counterparty: {
      readonly set: string;
      readonly legalForm: string | undefined;
      readonly legalValues: readonly string[];
      /** Sorted by `entrepreneurAs`. */
      readonly entrepreneurValues: readonly string[];
      readonly entrepreneurAs: 'company' | 'person';
      readonly personValue: string | undefined;
      readonly legalValue: string | undefined;
      readonly fullName: string | undefined;
      readonly firstName: string | undefined;
      readonly lastName: string | undefined;
      /** The table part of phones and e-mails, and its columns. */
      readonly contacts: string | undefined;
      readonly contactType: string;
      readonly contactKind: string | undefined;
      readonly contactText: string;
      readonly contactPhone: string | undefined;
      readonly contactEmail: string | undefined;
      readonly phoneType: string;
      readonly emailType: string;
      readonly phoneKind: OnecLocator | undefined;
      readonly emailKind: OnecLocator | undefined;
      /** The register of contact persons and its dimensions. */
      readonly persons: { readonly set: string; readonly owner: string; readonly person: string } | undefined;
    };
    readonly item: {
      readonly set: string;
      readonly article: string | undefined;
      readonly searchArticle: string | undefined;
      readonly maker: string | undefined;
      readonly unit: string | undefined;
      /** The unit that rows take, where it is of another catalog than `unit` (Alfa-Auto: 1C makes it from `unit`). */
      readonly lineUnit?: string | undefined;
      readonly fullName: string | undefined;
      readonly type: string | undefined;
      readonly vat: string | undefined;
    };
    readonly work: {
      readonly set: string;
      readonly article: string | undefined;
      readonly fullName: string | undefined;
      readonly item: string | undefined;
      readonly type: string | undefined;
    };
    readonly maker: { readonly set: string } | undefined;
    readonly unit: { readonly set: string } | undefined;
    readonly contract:
      | {
          readonly set: string;
          readonly owner: string;
          readonly organization: string | undefined;
          readonly department: string | undefined;
          readonly currency: string | undefined;
        }
      | undefined;
    readonly organization: { readonly set: string };
    readonly department: { readonly set: string };
    readonly user: { readonly set: string };
    /** Where a document's manager stands, if not among the users (Alfa-Auto: employees). */
    readonly manager?: { readonly set: string } | undefined;
    readonly car: { readonly set: string } | undefined;
  };
  readonly properties: {
    readonly register: string;
    readonly chart: string;
    /** Names (Имя, else Заголовок, else Description without its tail) or guids. */
    readonly lead: string;
    readonly client: string;
    readonly item: string;
    readonly exportedAt: string;
    readonly updatedAt: string;
    readonly writtenAt: string;
    /** How ids are written; auto: as the property's type or its records show. */
    readonly idType: 'auto' | 'number' | 'string';
  };
  readonly changes: {
    readonly strategy: readonly ('property' | 'field' | 'dataVersion')[];
    readonly field: string | undefined;
    /** When a document came to be, whatever its date: a back-dated draft is found by it. */
    readonly created: string | undefined;
  };
  readonly defaults: { readonly [Role in OnecRole]: OnecLocator | undefined };
  /** The business operation of each kind of document. */
  readonly operations: { readonly [Type in OnecDocKey]: OnecLocator | undefined };
  /** Plain values sent with every new object of a kind. */
  readonly constants: {
    readonly [Kind in OnecDocKey | 'item' | 'work' | 'counterparty' | 'contract' | 'goodsRow' | 'worksRow']: Readonly<
      Record<string, OnecScalar>
    >;
  };
  readonly statuses: readonly OnecStatusRow[];
  readonly fields: {
    readonly number: number | undefined;
    readonly recommendations: number | undefined;
    readonly car: number | undefined;
    readonly comment: number | undefined;
    readonly recommendedParts: number | undefined;
    readonly reason: number | undefined;
    readonly contactPhone: number | undefined;
    readonly contactEmail: number | undefined;
    readonly contactCode: number | undefined;
    readonly contactCarId: number | undefined;
    readonly companyCode: number | undefined;
    readonly companyPhone: number | undefined;
    readonly companyEmail: number | undefined;
  };
  /** Fields of amoCRM's goods catalog: a code such as SKU, or an id as text. */
  readonly catalog: {
    readonly sku: string | undefined;
    readonly price: string | undefined;
    readonly maker: string | undefined;
    readonly unit: string | undefined;
  };
  /** 1C user's name → amoCRM user. */
  readonly users: Readonly<Record<string, number>>;
  readonly import: {
    readonly as: 'chain' | 'customerOrder' | 'auto';
    readonly allowWithoutClient: boolean;
    readonly createItems: boolean;
  };
  readonly export: {
    readonly createItems: boolean;
    readonly verifyItems: boolean;
    readonly matchItemsBy: 'article' | 'article+maker';
    readonly longTextOver: number;
    /** {number}, {date} and the rest of ONEC_TEMPLATE_NAMES. */
    readonly names: { readonly workOrder: Template; readonly customerOrder: Template };
    /** Put on contacts and companies that are made. */
    readonly contactTag: string | undefined;
  };
}

/** What a deal's name may hold; both {number} and {date} must stand in it, since together they name a document. */
export const ONEC_TEMPLATE_NAMES = [
  'number',
  'date',
  'client',
  'organization',
  'department',
  'state',
  'amount',
  'car',
] as const;
