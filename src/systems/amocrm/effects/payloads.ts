import type { Json } from '../../../base/schema.ts';
import type { Effect, RecordRef } from '../../../domain/effect.ts';

/** A source record as keys name it: `kaspi:1019876543`. */
export interface Source {
  system: string;
  id: string;
}

export const KINDS = {
  company: 'amocrm.company',
  contact: 'amocrm.contact',
  companyContact: 'amocrm.company-contact',
  good: 'amocrm.good',
  deal: 'amocrm.deal',
  goodLink: 'amocrm.good-link',
  note: 'amocrm.note',
  dealUpdate: 'amocrm.deal-update',
  dealGoods: 'amocrm.deal-goods',
} as const;

export const keys = {
  contact: (source: Source) => `amocrm:contact:${source.system}:${source.id}`,
  phone: (phone: string) => `amocrm:contact:phone:${phone}`,
  email: (email: string) => `amocrm:contact:email:${email}`,
  company: (source: Source) => `amocrm:company:${source.system}:${source.id}`,
  companyPhone: (phone: string) => `amocrm:company:phone:${phone}`,
  companyEmail: (email: string) => `amocrm:company:email:${email}`,
  companyContact: (companyKey: string, contactKey: string) => `amocrm:company-contact:${companyKey}:${contactKey}`,
  deal: (source: Source) => `amocrm:deal:${source.system}:${source.id}`,
  /** What the deal's goods were last asked to be; a link of its own, for it has revisions of its own. */
  dealGoods: (source: Source) => `amocrm:deal-goods:${source.system}:${source.id}`,
  /** `identity`: the article, or whatever else tells one element of the catalog from the others. */
  good: (catalogId: number, identity: string) => `amocrm:good:${catalogId}:${identity}`,
  goodLink: (source: Source, sku: string) => `amocrm:good-link:${source.system}:${source.id}:${sku}`,
  note: (source: Source, name: string) => `amocrm:note:${source.system}:${source.id}:${name}`,
};

/** A contact or a company: the same to us but for where they live. */
export type CompanyPayload = {
  name: string;
  /** E.164; found by it, made with it. */
  phone?: string;
  /** Further phones, E.164: found by any of them, made with all. */
  phones?: string[];
  /** Lower case. */
  email?: string;
  /** WORK, MOB, …: the kind of number that it is stored as. */
  phoneEnum: string;
  responsibleUserId?: number;
  /** The id that the source says stands for it. Where that one is gone, it is found by phone and e-mail as ever. */
  existing?: number;
  /** Custom field id → text, written with a new one alone; empty texts are not sent. */
  fields?: { [fieldId: string]: string };
  /** Of `fields`, the one whose text names it: how one without phone and e-mail is found again. */
  codeField?: string;
  /** Put on a new one alone. */
  tags?: string[];
  /** Fields that hold phone and e-mail in the place of those with the codes PHONE and EMAIL. */
  phoneFieldId?: number;
  emailFieldId?: number;
  /** The source's own time of the record, ISO-8601: what is made for it cannot be older. */
  since: string;
};

export type ContactPayload = CompanyPayload & {
  firstName?: string;
  lastName?: string;
  /** A new contact is born linked to this company. */
  companyKey?: string;
};

/** A contact as one of a company's people. Who belongs to another company already is left there. */
export type CompanyContactPayload = { companyKey: string; contactKey: string };

export type DealPayload = {
  name: string;
  /** Whole units of the account's currency. */
  price: number;
  pipelineId?: number;
  statusId?: number;
  lossReasonId?: number;
  responsibleUserId?: number;
  tags: string[];
  /** Custom field id → text as the mapping's template gave it. */
  fields: { [fieldId: string]: string };
  /** The deal's main contact. */
  contactKey?: string;
  /** Further contacts. */
  contactKeys?: string[];
  companyKey?: string;
  /** How the deal is found again: the text field that holds the code, or a word of the name. */
  externalId: string;
  externalField?: number;
  /** Found again by exactly this name among the deals made since `since`; `externalId` is not looked at. */
  exactName?: true;
  /** What its link of goods begins with; the goods themselves are effects of their own. */
  goods?: Goods;
  goodsKey?: string;
  since: string;
};

/** Article, or the identity that the good has in the place of one → quantity, pieces or kilograms. */
export type Goods = { [identity: string]: number };

export type DealGoodsPayload = {
  dealKey: string;
  goodsKey: string;
  catalogId: number;
  to: Goods;
  /** What we may have linked before: another quantity is a person's. */
  ours: Goods[];
  /** Goods are not made: those that the catalog lacks are left out, and hold nothing up. */
  mayLack?: true;
};

/** What a deal holds that we write and keep up to date. */
export type DealState = Pick<DealPayload, 'price' | 'pipelineId' | 'statusId' | 'lossReasonId' | 'tags' | 'fields'>;

export type DealUpdatePayload = {
  dealKey: string;
  to: DealState;
  /** What we may have written before: whatever else stands there now is a person's. */
  ours: DealState[];
  /** A stage is never moved back, nor out of 142 or 143. */
  neverBack: boolean;
  /** This stage may take a deal out of 142 or 143. */
  afterFinal: boolean;
  /** Stages that mean the same to the source: a deal that stands in one of them is left there. */
  equalStages?: { pipelineId: number; statusId: number }[];
  /**
   * The source is the master: what it has changed since the last time is written over whatever a person has put there,
   * out of 142 and 143 too, and nothing is reported. What the source has not changed stays a person's.
   */
  sourceWins?: true;
};

export type GoodPayload = {
  catalogId: number;
  sku: string;
  name: string;
  /** Whole units of the account's currency. */
  price?: number;
  /** What tells it from the others of its catalog, in keys and in `Goods`; absent: `sku`. */
  identity?: string;
  /** How an element is known to be this one; absent: `sku`. Works go by name, case and blanks folded. */
  match?: 'sku' | 'sku+maker' | 'name';
  maker?: string;
  unit?: string;
  /** The id that the source says stands for it. */
  existing?: number;
  /** Whether `existing` is read before it is trusted. */
  verify?: boolean;
  /** It is found or refused, never made. */
  mustExist?: true;
  /** Fields of the catalog by code or by id as text; absent: SKU and PRICE, and neither maker nor unit. */
  columns?: { sku?: string; price?: string; maker?: string; unit?: string };
};

export type GoodLinkPayload = {
  dealKey: string;
  goodKey: string;
  catalogId: number;
  /** Pieces or kilograms; may be fractional. */
  quantity: number;
};

export type NotePayload = {
  dealKey: string;
  text: string;
  /** Stands in the text, so that the note is found again. */
  marker: string;
  /** False for back-fills: automations of the pipeline do not fire. */
  triggersPipeline: boolean;
};

export function contactEffect(source: Source, record: RecordRef, payload: ContactPayload): Effect {
  const needs = payload.companyKey === undefined ? [] : [payload.companyKey];
  return { key: keys.contact(source), kind: KINDS.contact, record, needs, payload: clean(payload) };
}

export function companyEffect(source: Source, record: RecordRef, payload: CompanyPayload): Effect {
  return { key: keys.company(source), kind: KINDS.company, record, needs: [], payload: clean(payload) };
}

export function companyContactEffect(record: RecordRef, payload: CompanyContactPayload): Effect {
  const { companyKey, contactKey } = payload;
  const key = keys.companyContact(companyKey, contactKey);
  return { key, kind: KINDS.companyContact, record, needs: [companyKey, contactKey], payload: clean(payload) };
}

export function dealEffect(source: Source, record: RecordRef, payload: DealPayload): Effect {
  return { key: keys.deal(source), kind: KINDS.deal, record, needs: peopleKeys(payload), payload: clean(payload) };
}

/** Keys of the contacts, the main one first, then of the company. */
export function peopleKeys({
  contactKey,
  contactKeys = [],
  companyKey,
}: Pick<DealPayload, 'contactKey' | 'contactKeys' | 'companyKey'>): string[] {
  const all = [contactKey, ...contactKeys, companyKey].filter((key) => key !== undefined);
  return [...new Set(all)];
}

/** A change of a deal that stands; `previous` is an older change still under way, which goes first. */
export function dealUpdateEffect(
  source: Source,
  record: RecordRef,
  revision: number,
  payload: Omit<DealUpdatePayload, 'dealKey'>,
  previous: string | undefined,
): Effect {
  const dealKey = keys.deal(source);
  const planned = clean(payload.to);
  return {
    key: `${dealKey}#${revision}`,
    kind: KINDS.dealUpdate,
    record,
    needs: previous === undefined ? [dealKey] : [dealKey, previous],
    payload: clean({ dealKey, ...payload }),
    revises: { link: dealKey, revision, planned },
  };
}

/** A change of the goods of a deal that stands; goods that are new to the catalog go first. */
export function dealGoodsEffect(
  source: Source,
  record: RecordRef,
  revision: number,
  payload: Omit<DealGoodsPayload, 'dealKey' | 'goodsKey'>,
  previous: string | undefined,
): Effect {
  const dealKey = keys.deal(source);
  const goodsKey = keys.dealGoods(source);
  const goods = Object.keys(payload.to).map((identity) => keys.good(payload.catalogId, identity));
  const wanted = payload.mayLack ? [] : goods;
  return {
    key: `${goodsKey}#${revision}`,
    kind: KINDS.dealGoods,
    record,
    needs: [dealKey, ...wanted, ...(previous === undefined ? [] : [previous])],
    payload: clean({ dealKey, goodsKey, ...payload }),
  };
}

export function goodEffect(record: RecordRef, payload: GoodPayload): Effect {
  const key = keys.good(payload.catalogId, payload.identity ?? payload.sku);
  return { key, kind: KINDS.good, record, needs: [], payload: clean(payload) };
}

/** `sku` is the good's identity where it has one of its own. */
export function goodLinkEffect(
  source: Source,
  record: RecordRef,
  good: { catalogId: number; sku: string; quantity: number },
): Effect {
  const dealKey = keys.deal(source);
  const goodKey = keys.good(good.catalogId, good.sku);
  const payload: GoodLinkPayload = { dealKey, goodKey, catalogId: good.catalogId, quantity: good.quantity };
  return { key: keys.goodLink(source, good.sku), kind: KINDS.goodLink, record, needs: [dealKey, goodKey], payload };
}

/** A note on the deal; its marker is a last line that people may read past. */
export function noteEffect(source: Source, record: RecordRef, name: string, text: string, quiet: boolean): Effect {
  const dealKey = keys.deal(source);
  const marker = `sdelka ${source.system}:${source.id}:${name}`;
  const payload: NotePayload = { dealKey, text: `${text}\n\n${marker}`, marker, triggersPipeline: !quiet };
  return { key: keys.note(source, name), kind: KINDS.note, record, needs: [dealKey], payload };
}

/** JSON knows no undefined. */
function clean(payload: object): Json {
  return JSON.parse(JSON.stringify(payload)) as Json;
}
