import type { Json } from '../../../base/schema.ts';
import type { Effect, RecordRef } from '../../../domain/effect.ts';

/** A source record as keys name it: `kaspi:1019876543`. */
export interface Source {
  system: string;
  id: string;
}

export const KINDS = {
  contact: 'amocrm.contact',
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
  deal: (source: Source) => `amocrm:deal:${source.system}:${source.id}`,
  /** What the deal's goods were last asked to be; a link of its own, for it has revisions of its own. */
  dealGoods: (source: Source) => `amocrm:deal-goods:${source.system}:${source.id}`,
  good: (catalogId: number, sku: string) => `amocrm:good:${catalogId}:${sku}`,
  goodLink: (source: Source, sku: string) => `amocrm:good-link:${source.system}:${source.id}:${sku}`,
  note: (source: Source, name: string) => `amocrm:note:${source.system}:${source.id}:${name}`,
};

export type ContactPayload = {
  name: string;
  firstName?: string;
  lastName?: string;
  /** E.164; found by it, made with it. */
  phone?: string;
  /** Lower case. */
  email?: string;
  /** WORK, MOB, …: the kind of number that it is stored as. */
  phoneEnum: string;
  responsibleUserId?: number;
  /** The source's own time of the record, ISO-8601: a contact made for it cannot be older. */
  since: string;
};

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
  contactKey: string;
  /** How the deal is found again: the text field that holds the code, or the name. */
  externalId: string;
  externalField?: number;
  /** What its link of goods begins with; the goods themselves are effects of their own. */
  goods?: Goods;
  goodsKey?: string;
  since: string;
};

/** Article → quantity, pieces or kilograms. */
export type Goods = { [sku: string]: number };

export type DealGoodsPayload = {
  dealKey: string;
  goodsKey: string;
  catalogId: number;
  to: Goods;
  /** What we may have linked before: another quantity is a person's. */
  ours: Goods[];
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
};

export type GoodPayload = { catalogId: number; sku: string; name: string; price?: number };

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
  return { key: keys.contact(source), kind: KINDS.contact, record, needs: [], payload: clean(payload) };
}

export function dealEffect(source: Source, record: RecordRef, payload: DealPayload): Effect {
  return { key: keys.deal(source), kind: KINDS.deal, record, needs: [payload.contactKey], payload: clean(payload) };
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
  const wanted = Object.keys(payload.to).map((sku) => keys.good(payload.catalogId, sku));
  return {
    key: `${goodsKey}#${revision}`,
    kind: KINDS.dealGoods,
    record,
    needs: [dealKey, ...wanted, ...(previous === undefined ? [] : [previous])],
    payload: clean({ dealKey, goodsKey, ...payload }),
  };
}

export function goodEffect(record: RecordRef, payload: GoodPayload): Effect {
  const key = keys.good(payload.catalogId, payload.sku);
  return { key, kind: KINDS.good, record, needs: [], payload: clean(payload) };
}

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
