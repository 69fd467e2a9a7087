import type { Json } from '../../base/schema.ts';

/*
 * What we may send, in our own names, and how it looks on the wire. Only keys that are set are sent: what a PATCH leaves out stays as it is,
 * and sending back what was read (a user who has left, say) is refused as a whole. Source: amocrm-api-php, README and issues 278, 366, 502.
 */

/** A custom field to be set, by id or by code. `null` clears it; an empty list is refused by amoCRM. The values replace all present ones. */
export interface FieldWrite {
  fieldId?: number;
  fieldCode?: string;
  values: readonly { value?: Json; enumId?: number; enumCode?: string }[] | null;
}

interface CommonWrite {
  name?: string;
  responsibleUserId?: number;
  fields?: readonly FieldWrite[];
}

/** Tags of a change come and go one by one; the others on the card are left alone. Unknown names are made on the fly. */
interface TagChanges {
  tagsToAdd?: readonly string[];
  tagsToDelete?: readonly string[];
}

interface DealValues extends CommonWrite {
  /** Whole units of the account's currency. */
  price?: number;
  /** Always sent together with `pipelineId`: 142 (won) and 143 (lost) exist in every pipeline. */
  statusId?: number;
  pipelineId?: number;
  /** Only with status 143. */
  lossReasonId?: number;
}

/** Who sends the item again gets it back by this name; amoCRM stores it nowhere. */
interface Requested {
  requestId: string;
}

export interface NewDeal extends DealValues, Requested {
  name: string;
  /** Unix seconds. */
  createdAt?: number;
  tags?: readonly string[];
  contactIds?: readonly number[];
  companyId?: number;
}

export interface DealChange extends DealValues, TagChanges {
  id: number;
}

export interface NewPerson extends CommonWrite, Requested {
  name: string;
  /** A company takes neither. */
  firstName?: string;
  lastName?: string;
  tags?: readonly string[];
  /** A contact's company. */
  companyId?: number;
}

export interface PersonChange extends CommonWrite, TagChanges {
  id: number;
}

export interface NewElement extends Requested {
  name: string;
  fields?: readonly FieldWrite[];
}

/** Goods put on a deal. Linking what is linked already is believed to set its quantity; whether it adds is not documented. */
export interface NewLink {
  dealId: number;
  elementId: number;
  catalogId: number;
  quantity: number;
  /** The price *field* to count with, not a price. */
  priceFieldId?: number;
}

/** A contact as one of a company's people. It is believed to have one company, so that another one gives way. */
export interface CompanyLink {
  contactId: number;
  companyId: number;
}

export type Unlink = Pick<NewLink, 'dealId' | 'elementId' | 'catalogId'>;

export interface NewNote extends Requested {
  entityId: number;
  text: string;
  /** False keeps automations from firing; for back-fills. amoCRM's default is true. */
  triggersPipeline?: boolean;
}

type Wire = { [key: string]: Json };

/** Leaves out what is not set, so that nothing is sent by accident. */
function compact(entries: { [key: string]: Json | undefined }): Wire {
  const wire: Wire = {};
  for (const [key, value] of Object.entries(entries)) {
    if (value !== undefined) wire[key] = value;
  }
  return wire;
}

function wireField(field: FieldWrite): Wire {
  const values =
    field.values?.map((value) => compact({ value: value.value, enum_id: value.enumId, enum_code: value.enumCode })) ??
    null;
  return compact({ field_id: field.fieldId, field_code: field.fieldCode, values });
}

function wireTags(tags: readonly string[] | undefined): Wire[] | undefined {
  return tags?.length ? tags.map((name) => ({ name })) : undefined;
}

function wireCommon(write: CommonWrite): { [key: string]: Json | undefined } {
  return {
    name: write.name,
    responsible_user_id: write.responsibleUserId,
    custom_fields_values: write.fields?.length ? write.fields.map(wireField) : undefined,
  };
}

function wireTagChanges(write: TagChanges): { [key: string]: Json | undefined } {
  return { tags_to_add: wireTags(write.tagsToAdd), tags_to_delete: wireTags(write.tagsToDelete) };
}

function unlessEmpty(wire: Wire): Wire | undefined {
  return Object.keys(wire).length > 0 ? wire : undefined;
}

function wireDealValues(write: DealValues): { [key: string]: Json | undefined } {
  return {
    ...wireCommon(write),
    price: write.price,
    status_id: write.statusId,
    pipeline_id: write.pipelineId,
    loss_reason_id: write.lossReasonId,
  };
}

export function wireNewDeal(deal: NewDeal): Wire {
  const embedded = compact({
    tags: wireTags(deal.tags),
    contacts: deal.contactIds?.length ? deal.contactIds.map((id, index) => ({ id, is_main: index === 0 })) : undefined,
    companies: deal.companyId === undefined ? undefined : [{ id: deal.companyId }],
  });
  return compact({
    request_id: deal.requestId,
    ...wireDealValues(deal),
    created_at: deal.createdAt,
    _embedded: unlessEmpty(embedded),
  });
}

export function wireDealChange(change: DealChange): Wire {
  return compact({ id: change.id, ...wireDealValues(change), ...wireTagChanges(change) });
}

export function wireNewPerson(person: NewPerson): Wire {
  return compact({
    request_id: person.requestId,
    ...wireCommon(person),
    first_name: person.firstName,
    last_name: person.lastName,
    _embedded: unlessEmpty(
      compact({
        tags: wireTags(person.tags),
        companies: person.companyId === undefined ? undefined : [{ id: person.companyId }],
      }),
    ),
  });
}

export function wirePersonChange(change: PersonChange): Wire {
  return compact({ id: change.id, ...wireCommon(change), ...wireTagChanges(change) });
}

export function wireNewElement(element: NewElement): Wire {
  return compact({ request_id: element.requestId, ...wireCommon(element) });
}

export function wireLink(link: NewLink): Wire {
  return {
    entity_id: link.dealId,
    to_entity_id: link.elementId,
    to_entity_type: 'catalog_elements',
    metadata: compact({ catalog_id: link.catalogId, quantity: link.quantity, price_id: link.priceFieldId }),
  };
}

export function wireCompanyLink(link: CompanyLink): Wire {
  return { entity_id: link.contactId, to_entity_id: link.companyId, to_entity_type: 'companies' };
}

export function wireUnlink(link: Unlink): Wire {
  return {
    entity_id: link.dealId,
    to_entity_id: link.elementId,
    to_entity_type: 'catalog_elements',
    metadata: { catalog_id: link.catalogId },
  };
}

export function wireNewNote(note: NewNote): Wire {
  return compact({
    request_id: note.requestId,
    entity_id: note.entityId,
    note_type: 'common',
    params: { text: note.text },
    is_need_to_trigger_digital_pipeline: note.triggersPipeline,
  });
}
