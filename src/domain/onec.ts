/**
 * What the 1C stream's two directions share: documents, clients and lines as sdelka sees them, whatever the
 * configuration calls them. Money is integer minor units (kopecks, tiyn).
 */

/** A local date-time of the 1C server, without a zone: `2025-06-09T16:13:24`. Text order is time order. */
export type OnecLocal = string;

/** What 1C writes where a reference or a date is empty (facts: 1C OData, types). */
export const EMPTY_REF = '00000000-0000-0000-0000-000000000000';
export const EMPTY_DATE: OnecLocal = '0001-01-01T00:00:00';

/** Documents that stand for deals. */
export type OnecDocumentType = 'workOrder' | 'customerOrder';
/** Documents that a chain is made of, the last of which stands for the deal. */
export type OnecChainType = OnecDocumentType | 'repairRequest' | 'repairSummary';

/** A thing of a catalog by its reference (a lower-case guid) and, where known, its code and name, both trimmed. */
export interface OnecRef {
  ref: string;
  code: string;
  name: string;
}

/** What the light list of a window tells of a document; enough to know whether it has changed. */
export interface OnecHead {
  type: OnecDocumentType;
  ref: string;
  /** Trimmed of the blanks that fill codes of fixed length. */
  number: string;
  date: OnecLocal;
  posted: boolean;
  deletionMark: boolean;
  /** Opaque; compared for equality alone. */
  dataVersion: string;
  /** When it was last written: the "written" property, else the configured field; absent where neither tells. */
  writtenAt?: OnecLocal;
}

/** Ids and dates that live in 1C's additional information. */
export interface OnecMarks {
  /** amolead, amoclient or amocatalog, by the kind of the object. */
  amoId?: number;
  exportedAt?: OnecLocal;
  updatedAt?: OnecLocal;
  writtenAt?: OnecLocal;
}

export interface OnecClient extends OnecRef {
  /** As the mapping sorts legal forms. */
  kind: 'person' | 'company';
  firstName?: string;
  lastName?: string;
  /** E.164, in the order of the card. */
  phones: readonly string[];
  /** Lower case. */
  emails: readonly string[];
  amoId?: number;
  /** A company's contact persons; none for a person. */
  persons: readonly OnecClient[];
}

export interface OnecLine {
  kind: 'item' | 'work';
  ref: string;
  code: string;
  /** '' where there is none. */
  article: string;
  maker: string;
  name: string;
  unit: string;
  quantity: number;
  /** Of one unit. */
  priceMinor: number;
  /** Of the line, with VAT and discounts. */
  totalMinor: number;
  amoId?: number;
}

/** One document, whole. */
export interface OnecDocument extends OnecHead {
  marks: OnecMarks;
  /** The deal that an import of ours has made it for, by the marker in its comment. */
  madeForDeal?: number;
  organization: OnecRef | undefined;
  department: OnecRef | undefined;
  /** The manager, else the author. */
  user: OnecRef | undefined;
  /** `name` is the state as people see it, e.g. `Размещен`; undefined where the document has none yet. */
  state: OnecRef | undefined;
  amountMinor: number;
  /** Without our marker. */
  comment: string;
  reason: string;
  recommendations: string;
  recommendedParts: string;
  car: string;
  /** An id of the client's car, where the mapping names a field for it. */
  carId: string;
  client: OnecClient | undefined;
  lines: readonly OnecLine[];
}

/** The marker that a document made for a deal carries in its comment, so that it is found again after a cut. */
export function dealMarker(dealId: number): string {
  return `[amo:${dealId}]`;
}

/** Splits a comment into the text of people and the deal that our marker names. */
export function readMarker(comment: string): { text: string; dealId?: number } {
  const [whole = '', id] = /\s*\[amo:(\d{1,15})\]/.exec(comment) ?? [];
  if (id === undefined) return { text: comment.trim() };
  return { text: comment.replace(whole, '').trim(), dealId: Number(id) };
}

/** 1C's own search form of an article: upper case, digits and Latin or Cyrillic letters alone (facts: Alfa-Auto, АртикулДляПоиска). */
export function searchArticle(article: string): string {
  return article.toUpperCase().replace(/[^0-9A-ZА-ЯЁ]/g, '');
}

/** The last ten digits of a phone: what stays the same through `8…`, `+7…` and brackets. Fewer digits: ''. */
export function lastTen(phone: string): string {
  const digits = phone.replace(/\D/g, '');
  return digits.length < 10 ? '' : digits.slice(-10);
}
