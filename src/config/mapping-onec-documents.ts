import type { OnecDocumentMapping, OnecState, OnecTable } from './mapping-onec-types.ts';
import { boolean, map, oneOf, optional, type Reader, required, text, withDefault } from './shape.ts';

/** A name as 1C's metadata spells it. Any other would break the address or the filter that it is put into. */
export const name: Reader<string> = (value, path, report) => {
  const read = text(value, path, report);
  if (read === undefined || /^[A-Za-z\u0400-\u04ff_][0-9A-Za-z\u0400-\u04ff_]*$/.test(read)) {
    return read;
  }
  report(path, "expected a name of 1C's metadata: Cyrillic or Latin letters, digits and _");
  return undefined;
};

const maybe = optional(name);

const table = map<OnecTable>({
  table: required(name),
  item: required(name),
  qty: required(name),
  price: required(name),
  sum: maybe,
  total: maybe,
  unit: maybe,
  factor: maybe,
  vat: maybe,
  vatSum: maybe,
  id: maybe,
});

const kind = required(oneOf('field', 'register'));
const fieldState = map<{ kind: OnecState['kind']; field: string; catalog: string }>({
  kind,
  field: required(name),
  catalog: required(name),
});
const registerState = map<{ kind: OnecState['kind']; set: string; object: string; value: string; catalog: string }>({
  kind,
  set: required(name),
  object: required(name),
  value: required(name),
  catalog: required(name),
});

const state: Reader<OnecState> = (value, path, report) => {
  const isRegister = typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'register';
  if (isRegister) {
    const read = registerState(value, path, report);
    return read && { ...read, kind: 'register' };
  }
  const read = fieldState(value, path, report);
  return read && { ...read, kind: 'field' };
};

/** One kind of documents. Number, Date and Posted are standard properties of every 1C document (1C developer's guide, 17.4). */
export const documentMapping: Reader<OnecDocumentMapping> = map<OnecDocumentMapping>({
  set: required(name),
  post: withDefault(true, boolean),
  number: withDefault('Number', name),
  date: withDefault('Date', name),
  posted: withDefault('Posted', name),
  comment: maybe,
  amount: maybe,
  reason: maybe,
  recommendations: maybe,
  recommendedParts: maybe,
  car: maybe,
  carId: maybe,
  phone: maybe,
  email: maybe,
  counterparty: maybe,
  customer: maybe,
  contract: maybe,
  organization: maybe,
  department: maybe,
  warehouse: maybe,
  priceType: maybe,
  workPriceType: maybe,
  repairKind: maybe,
  workshop: maybe,
  operation: maybe,
  currency: maybe,
  author: maybe,
  manager: maybe,
  due: maybe,
  base: optional(map<{ field: string; typed: boolean }>({ field: required(name), typed: withDefault(false, boolean) })),
  chain: maybe,
  state: optional(state),
  goods: optional(table),
  works: optional(table),
});
