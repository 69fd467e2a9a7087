import * as z from 'zod';

/*
 * Wire shapes of API v4, only the fields that we use, turned into our own names. Ids, money and times are strict; everything else gives way,
 * for the vendor's own types are known to be wrong in places. An empty list is answered 204 without a body, which reaches a schema as `undefined`.
 * Source: the vendor's PHP client (amocrm/amocrm-api-php) and the types of shevernitskiy/amo, read 2026-08.
 */

const id = z.int().positive();
const seconds = z.int().nonnegative();
const optionalId = z
  .int()
  .nullish()
  .transform((value) => (value ? value : undefined));

/** A list inside `_embedded` that may be absent, null or of another shape: then it is empty. */
function lenientList<T extends z.ZodType>(item: T) {
  return z.array(item).catch([]);
}

/** One value of a custom field, as read: `value` is text, number, boolean or, for some types, an object. */
interface FieldValue {
  value: unknown;
  enumId?: number;
  enumCode?: string;
}

const fieldValue = z
  .looseObject({ value: z.unknown(), enum_id: z.number().nullish(), enum_code: z.string().nullish() })
  .transform(
    (wire): FieldValue => ({
      value: wire.value,
      ...(typeof wire.enum_id === 'number' ? { enumId: wire.enum_id } : {}),
      ...(typeof wire.enum_code === 'string' ? { enumCode: wire.enum_code } : {}),
    }),
  );

/** A filled custom field of a deal, contact, company or catalog element. */
interface FilledField {
  fieldId: number;
  code?: string;
  type?: string;
  values: FieldValue[];
}

const filledField = z
  .object({
    field_id: id,
    field_code: z.string().nullish(),
    field_type: z.string().nullish(),
    values: z.array(fieldValue),
  })
  .transform(
    (wire): FilledField => ({
      fieldId: wire.field_id,
      ...(wire.field_code ? { code: wire.field_code } : {}),
      ...(wire.field_type ? { type: wire.field_type } : {}),
      values: wire.values,
    }),
  );

/** `custom_fields_values` is null, not empty, where nothing is filled. */
const filledFields = z
  .array(filledField)
  .nullish()
  .transform((fields) => fields ?? []);

const tag = z.object({ id, name: z.string() });
const contactRef = z
  .object({ id, is_main: z.boolean().optional().catch(undefined) })
  .transform((wire) => ({ id: wire.id, isMain: wire.is_main ?? false }));
const elementRef = z
  .object({
    id,
    metadata: z.object({ catalog_id: id, quantity: z.coerce.number(), price_id: optionalId }),
  })
  .transform(
    (wire): ElementLink => ({
      elementId: wire.id,
      catalogId: wire.metadata.catalog_id,
      quantity: wire.metadata.quantity,
      ...(wire.metadata.price_id === undefined ? {} : { priceFieldId: wire.metadata.price_id }),
    }),
  );

/** Goods linked to a deal. `quantity` may be fractional. */
export interface ElementLink {
  elementId: number;
  catalogId: number;
  quantity: number;
  priceFieldId?: number;
}

/** A row of unknown age must never end a walk back in time, so it counts as the newest. */
const instant = seconds.nullish().transform((at) => at ?? Number.MAX_SAFE_INTEGER);

/** Deals, contacts, companies and elements share these; times are unix seconds, UTC. */
const common = {
  id,
  name: z
    .string()
    .nullish()
    .transform((name) => name ?? ''),
  responsible_user_id: optionalId,
  created_by: z
    .int()
    .nullish()
    .transform((user) => user ?? 0),
  updated_by: z
    .int()
    .nullish()
    .transform((user) => user ?? 0),
  created_at: instant,
  updated_at: instant,
  is_deleted: z
    .boolean()
    .nullish()
    .transform((deleted) => deleted === true),
  custom_fields_values: filledFields,
};

export const dealSchema = z
  .object({
    ...common,
    // Whole units of the account's currency; Kommo also knows fractions. Null where no budget is set.
    price: z
      .number()
      .nullish()
      .transform((price) => price ?? 0),
    status_id: id,
    pipeline_id: id,
    loss_reason_id: optionalId,
    closed_at: z
      .int()
      .nullish()
      .transform((at) => (at ? at : undefined)),
    _embedded: z
      .object({
        tags: lenientList(tag),
        contacts: lenientList(contactRef),
        companies: lenientList(z.object({ id })),
        // Not lenient: a link that we cannot read must not look like a link that is not there.
        catalog_elements: z.array(elementRef).optional(),
      })
      .optional(),
  })
  .transform((wire) => ({
    ...names(wire),
    price: wire.price,
    statusId: wire.status_id,
    pipelineId: wire.pipeline_id,
    lossReasonId: wire.loss_reason_id,
    closedAt: wire.closed_at,
    tags: wire._embedded?.tags ?? [],
    contacts: wire._embedded?.contacts ?? [],
    companyIds: (wire._embedded?.companies ?? []).map((company) => company.id),
    /** Filled only where asked for with `catalog_elements`; likewise `contacts`. */
    elements: wire._embedded?.catalog_elements ?? [],
  }));
/** A deal; `price` in whole currency units, times in unix seconds. */
export type Deal = z.output<typeof dealSchema>;

/** A contact or a company: to us they differ in nothing but their address. */
export const personSchema = z
  .object({
    ...common,
    first_name: z
      .string()
      .nullish()
      .transform((name) => name ?? ''),
    last_name: z
      .string()
      .nullish()
      .transform((name) => name ?? ''),
    _embedded: z
      .object({
        tags: lenientList(tag),
        leads: lenientList(z.object({ id })),
        companies: lenientList(z.object({ id })),
      })
      .optional(),
  })
  .transform((wire) => ({
    ...names(wire),
    firstName: wire.first_name,
    lastName: wire.last_name,
    tags: wire._embedded?.tags ?? [],
    /** Filled only where asked for with `leads`. */
    dealIds: (wire._embedded?.leads ?? []).map((deal) => deal.id),
    /** A contact's companies; a company has none. */
    companyIds: (wire._embedded?.companies ?? []).map((company) => company.id),
  }));
export type Person = z.output<typeof personSchema>;

export const elementSchema = z
  .object({ ...common, catalog_id: id })
  .transform((wire) => ({ ...names(wire), catalogId: wire.catalog_id }));
/** An element of a catalog; goods where the catalog is the goods catalog. */
export type CatalogElement = z.output<typeof elementSchema>;

interface CommonWire {
  id: number;
  name: string;
  responsible_user_id: number | undefined;
  created_by: number;
  updated_by: number;
  created_at: number;
  updated_at: number;
  is_deleted: boolean;
  custom_fields_values: FilledField[];
}

function names(wire: CommonWire) {
  return {
    id: wire.id,
    name: wire.name,
    responsibleUserId: wire.responsible_user_id,
    createdBy: wire.created_by,
    updatedBy: wire.updated_by,
    createdAt: wire.created_at,
    updatedAt: wire.updated_at,
    isDeleted: wire.is_deleted,
    fields: wire.custom_fields_values,
  };
}

export const noteSchema = z
  .object({
    id,
    entity_id: id,
    note_type: z.string(),
    created_by: z.int().nullish(),
    created_at: seconds,
    updated_at: seconds,
    params: z.looseObject({ text: z.string().nullish() }).nullish().catch(undefined),
  })
  .transform((wire) => ({
    id: wire.id,
    entityId: wire.entity_id,
    type: wire.note_type,
    text: wire.params?.text ?? '',
    createdBy: wire.created_by ?? 0,
    createdAt: wire.created_at,
    updatedAt: wire.updated_at,
  }));
export type Note = z.output<typeof noteSchema>;

export const accountSchema = z
  .object({
    id,
    name: z.string().catch(''),
    subdomain: z.string().catch(''),
    currency: z.string().nullish().catch(undefined),
    country: z.string().nullish().catch(undefined),
    current_user_id: optionalId,
    is_api_filter_enabled: z.boolean().optional().catch(undefined),
    _embedded: z
      .object({ datetime_settings: z.object({ timezone: z.string() }).optional().catch(undefined) })
      .optional()
      .catch(undefined),
    datetime_settings: z.object({ timezone: z.string() }).optional().catch(undefined),
  })
  .transform((wire) => ({
    id: wire.id,
    name: wire.name,
    subdomain: wire.subdomain,
    currency: wire.currency ?? undefined,
    country: wire.country ?? undefined,
    currentUserId: wire.current_user_id,
    filtersEnabled: wire.is_api_filter_enabled,
    timezone: wire._embedded?.datetime_settings?.timezone ?? wire.datetime_settings?.timezone,
  }));
export type Account = z.output<typeof accountSchema>;

const statusSchema = z
  .object({ id, name: z.string(), sort: z.number().catch(0), type: z.number().catch(0) })
  .transform((wire) => ({ id: wire.id, name: wire.name, sort: wire.sort, unsorted: wire.type === 1 }));

export const pipelineSchema = z
  .object({
    id,
    name: z.string(),
    sort: z.number().catch(0),
    is_main: z.boolean().catch(false),
    is_archive: z.boolean().catch(false),
    _embedded: z.object({ statuses: z.array(statusSchema) }),
  })
  .transform((wire) => ({
    id: wire.id,
    name: wire.name,
    sort: wire.sort,
    isMain: wire.is_main,
    isArchive: wire.is_archive,
    statuses: wire._embedded.statuses,
  }));
export type Pipeline = z.output<typeof pipelineSchema>;

export const userSchema = z
  .object({
    id,
    name: z.string().catch(''),
    rights: z
      .object({ is_admin: z.boolean().catch(false), is_active: z.boolean().catch(true) })
      .optional()
      .catch(undefined),
  })
  .transform((wire) => ({
    id: wire.id,
    name: wire.name,
    isAdmin: wire.rights?.is_admin ?? false,
    // Rights are shown to administrators alone; a user whose rights we cannot see is not thereby inactive.
    isActive: wire.rights?.is_active ?? true,
  }));
export type User = z.output<typeof userSchema>;

export const lossReasonSchema = z.object({ id, name: z.string().catch('') });
export type LossReason = z.output<typeof lossReasonSchema>;

const enumSchema = z
  .object({ id, value: z.string(), code: z.string().nullish() })
  .transform((wire) => ({ id: wire.id, value: wire.value, ...(wire.code ? { code: wire.code } : {}) }));

export const fieldSchema = z
  .object({
    id,
    name: z.string().catch(''),
    code: z.string().nullish(),
    type: z.string(),
    is_api_only: z.boolean().nullish().catch(undefined),
    enums: z.array(enumSchema).nullish(),
  })
  .transform((wire) => ({
    id: wire.id,
    name: wire.name,
    ...(wire.code ? { code: wire.code } : {}),
    type: wire.type,
    isApiOnly: wire.is_api_only === true,
    enums: wire.enums ?? [],
  }));
/** A custom field's description; `enums` is empty for fields without a list of choices. */
export type Field = z.output<typeof fieldSchema>;

export const catalogSchema = z.object({ id, name: z.string().catch(''), type: z.string().catch('regular') });
export type Catalog = z.output<typeof catalogSchema>;

export const linkSchema = z
  .object({ entity_id: id, to_entity_id: id, to_entity_type: z.string() })
  .transform((wire) => ({ entityId: wire.entity_id, toId: wire.to_entity_id, toType: wire.to_entity_type }));

/** What a batch answers for each item. `request_id` comes back as text even where a number was sent. */
const writtenSchema = z.object({ id, request_id: z.union([z.string(), z.number()]).nullish() }).transform((wire) => ({
  id: wire.id,
  ...(wire.request_id === null || wire.request_id === undefined ? {} : { requestId: String(wire.request_id) }),
}));
export type Written = z.output<typeof writtenSchema>;

/** One page of a list. `more` tells whether another page is promised; a full page may be followed by another one without that promise. */
export interface Page<T> {
  rows: T[];
  more: boolean;
}

/** The envelope of a list under `_embedded.<key>`; 204 (undefined) is an empty page. */
export function pageOf<T extends z.ZodType>(key: string, item: T) {
  return z
    .object({
      _links: z.looseObject({ next: z.unknown().optional() }).optional().catch(undefined),
      _embedded: z.object({ [key]: z.array(item) }),
    })
    .optional()
    .transform((wire): Page<z.output<T>> => {
      const rows = wire?._embedded[key] ?? [];
      return { rows, more: wire?._links?.next !== undefined && wire._links.next !== null };
    });
}

/** The answer to a batch of writes; items are told apart by `requestId` or `id`, never by their place, which is not promised. */
export function writtenOf(key: string) {
  return pageOf(key, writtenSchema).transform((page) => page.rows);
}

const validationSchema = z.object({
  'validation-errors': z.array(
    z.object({
      request_id: z.union([z.string(), z.number()]).nullish(),
      errors: z.array(z.object({ code: z.string().catch('Unknown'), path: z.string().catch('') })),
    }),
  ),
});

/** Which item of a refused batch is at fault, where in it, and why. `requestId` is the item's place, as text, where none was sent. */
export interface ValidationError {
  requestId: string;
  /** `NotSupportedChoice`, `FieldNotExpected`, `InvalidType`, … */
  code: string;
  /** Dotted path inside the item: `custom_fields_values.0.values.0.value`. */
  path: string;
}

/** Reads the faults out of a refusal's body (`RemoteError.answer`); empty where it names none. Never throws. */
export function validationErrors(answer: unknown): ValidationError[] {
  const parsed = validationSchema.safeParse(answer);
  if (!parsed.success) return [];
  return parsed.data['validation-errors'].flatMap((item) =>
    item.errors.map((error) => ({ requestId: String(item.request_id ?? ''), code: error.code, path: error.path })),
  );
}
