import type { OnecDocKey, OnecMapping, OnecRole } from '../config/mapping-onec-types.ts';
import type { OnecLocal, OnecRef } from '../domain/onec.ts';
import type { Deal } from '../systems/amocrm/schema.ts';

/** A deal's contact or company, and who stands for it in 1C. */
export interface DealClient {
  kind: 'contact' | 'company';
  amoId: number;
  name: string;
  firstName?: string;
  lastName?: string;
  /** E.164, in the order of the card. */
  phones: readonly string[];
  /** Lower case. */
  emails: readonly string[];
  /** The counterparty that its id, its phone or its e-mail names, and the amoCRM id that stands there already. */
  existing?: { ref: string; amoId?: number };
}

/** An element of the goods catalog on a deal, and what stands for it in 1C. */
export interface DealLine {
  elementId: number;
  name: string;
  /** '' where there is none. */
  article: string;
  maker: string;
  unit: string;
  quantity: number;
  /** Of one unit. */
  priceMinor: number;
  /** `amoId` is the element that 1C's item or work names already. */
  existing?: { kind: 'item' | 'work'; ref: string; amoId?: number };
  /** The maker in 1C, where it is known there. */
  makerRef?: string;
}

/** A deal as the import sees it, with what 1C has of its parts already. */
export interface DealFacts {
  dealId: number;
  name: string;
  /** The budget. */
  priceMinor: number;
  pipelineId: number;
  statusId: number;
  /** Unix seconds. */
  updatedAt: number;
  createdAt: number;
  client?: DealClient;
  lines: readonly DealLine[];
}

/** References that 1C gave for what the mapping names; absent: not configured, or not to be found there. */
export interface ImportRefs {
  roles: { readonly [Role in OnecRole]?: string };
  operations: { readonly [Type in OnecDocKey]?: string };
  /** Folded name → reference, for the names of the table of stages. */
  organizations: ReadonlyMap<string, string>;
  departments: ReadonlyMap<string, string>;
  phoneKind?: string;
  emailKind?: string;
}

export interface ImportOptions {
  mapping: OnecMapping;
  refs: ImportRefs;
  /** Every state by its name and its predefined name, lower case. */
  states: ReadonlyMap<string, OnecRef>;
  /** 1C's clock: the date of every document that is planned. */
  localNow: OnecLocal;
  /** How far 1C's clock is ahead of UTC, to tell in its time when a deal came to be. */
  zone: string;
  catalogId: number | undefined;
}

/** A company pays for its people, so it goes before them; of several contacts the main one. */
export function clientOf(
  deal: Pick<Deal, 'companyIds' | 'contacts'>,
): { kind: DealClient['kind']; id: number } | undefined {
  const [company] = deal.companyIds;
  if (company !== undefined) return { kind: 'company', id: company };
  const contact = deal.contacts.find(({ isMain }) => isMain) ?? deal.contacts[0];
  return contact && { kind: 'contact', id: contact.id };
}
