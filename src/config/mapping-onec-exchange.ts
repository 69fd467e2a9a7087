import type { Template } from '../base/template.ts';
import { byName } from './mapping-onec-catalogs.ts';
import { ONEC_TEMPLATE_NAMES, type OnecMapping, type OnecStatusRow } from './mapping-onec-types.ts';
import {
  boolean,
  isMap,
  list,
  map,
  mapped,
  oneOf,
  optional,
  positive,
  type Reader,
  type Report,
  required,
  template,
  text,
  withDefault,
} from './shape.ts';

const rowOfKeys = mapped(
  map<{
    pipeline: number;
    status: number;
    state: string | undefined;
    organization: string | undefined;
    department: string | undefined;
    default: boolean;
  }>({
    pipeline: required(positive),
    status: required(positive),
    state: optional(text),
    organization: optional(text),
    department: optional(text),
    default: withDefault(false, boolean),
  }),
  (read): OnecStatusRow => ({
    ...read,
    state: read.state ?? null,
    organization: read.organization ?? null,
    department: read.department ?? null,
  }),
);

/** A state that was forgotten must not pass for `state: null`, which says that the stage stands for none. */
const statusRow: Reader<OnecStatusRow> = (value, path, report) => {
  if (isMap(value) && !Object.hasOwn(value, 'state')) {
    report([...path, 'state'], 'missing; write null for a stage that stands for no state');
  }
  return rowOfKeys(value, path, report);
};

const rows = list(statusRow);

export const statuses: Reader<readonly OnecStatusRow[]> = (value, path, report) => {
  const read = rows(value, path, report);
  read?.forEach((row, index) => {
    const before = read.slice(0, index);
    refuseSecondDefault(row, before, (message) => report([...path, index, 'default'], message));
    refuseSecondState(row, before, (message) => report([...path, index, 'state'], message));
  });
  return read;
};

type Fail = (message: string) => ReturnType<Report>;

function refuseSecondDefault(row: OnecStatusRow, before: readonly OnecStatusRow[], fail: Fail): void {
  if (row.state === null || !row.default) return;
  const state = folded(row.state);
  const other = before.findIndex(
    (one) =>
      one.default &&
      one.state !== null &&
      folded(one.state) === state &&
      one.pipeline === row.pipeline &&
      isSamePlace(one, row),
  );
  if (other >= 0)
    fail(`statuses[${other}] is the default of this state already, for the same pipeline, organization and department`);
}

function refuseSecondState(row: OnecStatusRow, before: readonly OnecStatusRow[], fail: Fail): void {
  const other = before.findIndex(
    (one) =>
      one.pipeline === row.pipeline &&
      one.status === row.status &&
      isSamePlace(one, row) &&
      folded(one.state ?? '') !== folded(row.state ?? ''),
  );
  if (other >= 0) fail(`statuses[${other}] gives this stage another state, for the same organization and department`);
}

function isSamePlace(a: OnecStatusRow, b: OnecStatusRow): boolean {
  return (
    folded(a.organization ?? '') === folded(b.organization ?? '') &&
    folded(a.department ?? '') === folded(b.department ?? '')
  );
}

/** Names differ in case, in blanks, and in ё, and mean the same. */
function folded(named: string): string {
  return named.trim().toLowerCase().replaceAll('ё', 'е').replace(/\s+/g, ' ');
}

const id = optional(positive);

export const fields: Reader<OnecMapping['fields']> = mapped(
  map<
    Record<
      | 'number'
      | 'recommendations'
      | 'car'
      | 'comment'
      | 'recommended_parts'
      | 'reason'
      | 'contact_phone'
      | 'contact_email'
      | 'contact_code'
      | 'contact_car_id'
      | 'company_code'
      | 'company_phone'
      | 'company_email',
      number | undefined
    >
  >({
    number: id,
    recommendations: id,
    car: id,
    comment: id,
    recommended_parts: id,
    reason: id,
    contact_phone: id,
    contact_email: id,
    contact_code: id,
    contact_car_id: id,
    company_code: id,
    company_phone: id,
    company_email: id,
  }),
  (read) => ({
    number: read.number,
    recommendations: read.recommendations,
    car: read.car,
    comment: read.comment,
    recommendedParts: read.recommended_parts,
    reason: read.reason,
    contactPhone: read.contact_phone,
    contactEmail: read.contact_email,
    contactCode: read.contact_code,
    contactCarId: read.contact_car_id,
    companyCode: read.company_code,
    companyPhone: read.company_phone,
    companyEmail: read.company_email,
  }),
);

/** A field of a catalog by its code or its id. */
const fieldOfCatalog: Reader<string> = (value, path, report) =>
  typeof value === 'number' ? mapped(positive, String)(value, path, report) : text(value, path, report);

export const catalogFields: Reader<OnecMapping['catalog']> = map<OnecMapping['catalog']>({
  sku: optional(fieldOfCatalog),
  price: optional(fieldOfCatalog),
  maker: optional(fieldOfCatalog),
  unit: optional(fieldOfCatalog),
});

export const users: Reader<OnecMapping['users']> = byName(positive);

export const importPart: Reader<OnecMapping['import']> = mapped(
  map<{ as: OnecMapping['import']['as']; allow_without_client: boolean; create_items: boolean }>({
    as: withDefault('auto', oneOf('chain', 'customerOrder', 'auto')),
    allow_without_client: withDefault(false, boolean),
    create_items: withDefault(true, boolean),
  }),
  (read) => ({
    as: read.as,
    allowWithoutClient: read.allow_without_client,
    createItems: read.create_items,
  }),
);

const anyName = template(ONEC_TEMPLATE_NAMES);

/** Numbers begin anew each year, so that only number and date together name a document. */
const documentName: Reader<Template> = (value, path, report) => {
  const read = anyName(value, path, report);
  const missing = ['number', 'date'].filter((part) => read !== undefined && !read.names.includes(part));
  if (missing.length > 0) report(path, `must hold {${missing.join('} and {')}}: it names the document in amoCRM`);
  return read;
};

export const exportPart: Reader<OnecMapping['export']> = mapped(
  map<{
    create_items: boolean;
    verify_items: boolean;
    match_items_by: OnecMapping['export']['matchItemsBy'];
    long_text_over: number;
    names: { work_order: Template; customer_order: Template };
    contact_tag: string | undefined;
  }>({
    create_items: withDefault(true, boolean),
    verify_items: withDefault(true, boolean),
    match_items_by: withDefault('article+maker', oneOf('article', 'article+maker')),
    // amoCRM's text fields are short; what is longer goes into a note.
    long_text_over: withDefault(250, positive),
    names: withDefault(
      {},
      map<{ work_order: Template; customer_order: Template }>({
        work_order: withDefault('Заказ-наряд № {number} от {date}', documentName),
        customer_order: withDefault('Заказ № {number} от {date}', documentName),
      }),
    ),
    contact_tag: optional(text),
  }),
  (read) => ({
    createItems: read.create_items,
    verifyItems: read.verify_items,
    matchItemsBy: read.match_items_by,
    longTextOver: read.long_text_over,
    names: { workOrder: read.names.work_order, customerOrder: read.names.customer_order },
    contactTag: read.contact_tag,
  }),
);
