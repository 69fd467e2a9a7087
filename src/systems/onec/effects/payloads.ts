import type { Json } from '../../../base/schema.ts';
import type { Effect, RecordRef } from '../../../domain/effect.ts';
import type { OnecChainType, OnecDocumentType, OnecLocal } from '../../../domain/onec.ts';
import type { OnecEntity } from '../api.ts';

/** The writes that 1C takes, in the order in which one needs the other. */
export const KINDS = {
  client: 'onec.client',
  contract: 'onec.contract',
  item: 'onec.item',
  work: 'onec.work',
  request: 'onec.repair-request',
  requestPost: 'onec.repair-request-post',
  summary: 'onec.repair-summary',
  workOrder: 'onec.work-order',
  customerOrder: 'onec.customer-order',
  customerOrderPost: 'onec.customer-order-post',
  /** amolead, amoclient, amocatalog: an id of amoCRM in an object's additional information. */
  id: 'onec.id',
  state: 'onec.state',
  /** Dates of exchange in a document's additional information; the last of all, so that they cover what was written. */
  mark: 'onec.mark',
} as const;

export const keys = {
  /** The document that stands for a deal: its link's remote id is the Ref_Key, `applied` a `DocumentState`. */
  document: (dealId: number) => `onec:doc:amocrm:${dealId}`,
  request: (dealId: number) => `onec:request:amocrm:${dealId}`,
  requestPost: (dealId: number) => `onec:request-post:amocrm:${dealId}`,
  summary: (dealId: number) => `onec:summary:amocrm:${dealId}`,
  customerOrderPost: (dealId: number) => `onec:doc-post:amocrm:${dealId}`,
  client: (kind: 'contact' | 'company', amoId: number) => `onec:client:amocrm:${kind}:${amoId}`,
  /** Under which other effects may want the same counterparty. */
  clientPhone: (phone: string) => `onec:client:phone:${phone}`,
  clientEmail: (email: string) => `onec:client:email:${email}`,
  contract: (clientKey: string) => `onec:contract:${clientKey}`,
  /** By article in its search form and the maker's name in upper case, else by name. */
  item: (identity: string) => `onec:item:${identity}`,
  work: (identity: string) => `onec:work:${identity}`,
  id: (object: string) => `onec:id:${object}`,
  /** The dates of a document; revisions are its further exchanges. `object` is a Ref_Key, or a deal's document key. */
  mark: (object: string) => `onec:mark:${object}`,
};

/** What the link of a deal's document holds: the state on which both sides last agreed, by name. */
export type DocumentState = { type: OnecDocumentType; state: string };

/** Where a value of a body comes from another effect: property path (`Контрагент_Key`, `Товары.0.Номенклатура_Key`) → its key. */
export type RefNeeds = { [path: string]: string };

/** An object that is made once. */
export type CreatePayload = {
  set: string;
  /** What is sent beside the references of `refs`; Ref_Key is added by the handler, from the effect's key. */
  body: OnecEntity;
  refs: RefNeeds;
  /** The object that is known to stand for it already; verified by reading it. */
  existing?: string;
  /** How it is found again. */
  find:
    | { by: 'marker'; type: OnecChainType; dealId: number; from: OnecLocal }
    | { by: 'contact'; phone?: string; email?: string }
    | { by: 'article'; article: string; maker: string; name: string }
    | { by: 'work'; article: string; name: string }
    | { by: 'owner'; clientKey: string };
  /** For documents: what the link is to hold. */
  state?: DocumentState;
  /** Further links to bind once it stands: amoCRM's side of it, so that an export knows it. */
  dealId?: number;
  /** What the deal shows, for the export's link. */
  deal?: Json;
  goods?: { [identity: string]: number };
};

/** Posting what another effect has made. */
export type PostPayload = { set: string; documentKey: string };

/** An amoCRM id kept with a 1C object. One of each pair is set. */
export type IdPayload = {
  property: 'lead' | 'client' | 'item';
  /** Entity set of the object. */
  set: string;
  object?: string;
  objectKey?: string;
  amoId?: number;
  amoKey?: string;
  /** What stands there now, as far as it was read. */
  current?: number;
};

export type MarkPayload = {
  set: string;
  object?: string;
  objectKey?: string;
  exportedAt?: true;
  updatedAt?: true;
  /** The date written is not before this. */
  notBefore: OnecLocal;
};

export type StatePayload = {
  documentKey: string;
  type: OnecDocumentType;
  /** The state's name and reference. */
  to: { name: string; ref: string };
  /** Names of states that we have put there or agreed on: another one is 1C's own, and wins (R37). */
  ours: string[];
  /** This change belongs to a document that this very import makes. */
  first?: true;
};

export function onecEffect(
  kind: string,
  key: string,
  record: RecordRef,
  needs: readonly string[],
  payload: object,
): Effect {
  return { key, kind, record, needs: [...new Set(needs)], payload: JSON.parse(JSON.stringify(payload)) as Json };
}
