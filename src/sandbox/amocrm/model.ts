/** The three kinds of cards; names are those of the URL. */
export const ENTITY_TYPES = ['leads', 'contacts', 'companies'] as const;
export type EntityType = (typeof ENTITY_TYPES)[number];

/** The singular, as events name it. */
export const EVENT_ENTITY: Record<EntityType, 'lead' | 'contact' | 'company'> = {
  leads: 'lead',
  contacts: 'contact',
  companies: 'company',
};

/** Whose custom fields: a kind of card, or one catalog (`catalog:5501`). */
export type FieldOwner = EntityType | `catalog:${number}`;

export interface FieldEnum {
  id: number;
  value: string;
  sort: number;
  code?: string;
}

export interface CustomField {
  id: number;
  owner: FieldOwner;
  name: string;
  code: string | null;
  type: string;
  sort: number;
  is_api_only: boolean;
  enums: readonly FieldEnum[];
}

export interface FieldValue {
  value: unknown;
  enum_id?: number;
  enum_code?: string;
}

/** Values by field id; a field without values is absent. */
export type FieldValues = Readonly<Record<number, readonly FieldValue[]>>;

/** A card of any kind. Rows are never changed in place: whoever holds one holds a version. Times are unix seconds. */
export interface Card {
  id: number;
  name: string;
  first_name: string;
  last_name: string;
  responsible_user_id: number;
  created_by: number;
  updated_by: number;
  created_at: number;
  updated_at: number;
  is_deleted: boolean;
  fields: FieldValues;
  tags: readonly number[];
  /** What only deals have; zero and null on the other cards. */
  price: number;
  pipeline_id: number;
  status_id: number;
  loss_reason_id: number | null;
  closed_at: number | null;
}

/** An element of a catalog: goods, mostly. */
export interface CatalogElement {
  id: number;
  catalog_id: number;
  name: string;
  created_by: number;
  updated_by: number;
  created_at: number;
  updated_at: number;
  is_deleted: boolean;
  fields: FieldValues;
}

export type LinkTarget = EntityType | 'catalog_elements';

/** `from` is the card that the rules call the owner: deal before contact before company before element. */
export interface Link {
  from_type: EntityType;
  from_id: number;
  to_type: LinkTarget;
  to_id: number;
  catalog_id: number | null;
  quantity: number;
  price_id: number | null;
  is_main: boolean;
}

export interface Note {
  id: number;
  entity_type: EntityType;
  entity_id: number;
  note_type: string;
  params: Record<string, unknown>;
  responsible_user_id: number;
  created_by: number;
  updated_by: number;
  created_at: number;
  updated_at: number;
  /** False where the writer asked that automations stay asleep. */
  triggers_digital_pipeline: boolean;
}

export interface Task {
  id: number;
  entity_type: EntityType | null;
  entity_id: number | null;
  text: string;
  complete_till: number;
  task_type_id: number;
  responsible_user_id: number;
  duration: number;
  is_completed: boolean;
  result: { text: string } | null;
  created_by: number;
  updated_by: number;
  created_at: number;
  updated_at: number;
}

export interface EventRow {
  /** Grows with time; the wire shows it as a ULID-like string. */
  id: number;
  type: string;
  /** Singular: lead, contact, company, task, or `catalog_{id}`. */
  entity_type: string;
  entity_id: number;
  created_by: number;
  created_at: number;
  value_after: readonly unknown[];
  value_before: readonly unknown[];
}

export interface Status {
  id: number;
  name: string;
  sort: number;
  is_editable: boolean;
  color: string;
  /** 1 = the system's "unsorted", which the API can't set; 0 = any other. */
  type: 0 | 1;
}

export interface Pipeline {
  id: number;
  name: string;
  sort: number;
  is_main: boolean;
  is_unsorted_on: boolean;
  is_archive: boolean;
  statuses: readonly Status[];
}

export interface User {
  id: number;
  name: string;
  email: string;
  is_admin: boolean;
  is_active: boolean;
}

export interface Catalog {
  id: number;
  name: string;
  type: string;
  sort: number;
}

export interface Tag {
  id: number;
  name: string;
}

export interface LossReason {
  id: number;
  name: string;
  sort: number;
}

export interface Webhook {
  id: number;
  destination: string;
  settings: readonly string[];
  sort: number;
  created_at: number;
  updated_at: number;
}

/** Won and lost: the same ids in every pipeline. */
export const WON = 142;
export const LOST = 143;
