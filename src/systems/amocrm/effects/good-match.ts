import { searchArticle } from '../../../domain/onec.ts';
import { foldName } from '../../../domain/onec-text.ts';
import type { CatalogElement, Field } from '../schema.ts';
import type { FieldWrite } from '../write.ts';
import { fieldValue } from './field-values.ts';
import type { GoodPayload } from './payloads.ts';

type Columns = GoodPayload['columns'];

/** The article's field has the code SKU in product catalogs; in a plain list an operator names it so. */
function skuField(fields: readonly Field[], columns: Columns): Field | undefined {
  if (columns?.sku !== undefined) return named(fields, columns.sku);
  return fields.find((field) => field.code === 'SKU') ?? fields.find((field) => /^(sku|артикул)$/i.test(field.name));
}

function named(fields: readonly Field[], codeOrId: string | undefined): Field | undefined {
  return codeOrId === undefined
    ? undefined
    : fields.find((field) => field.code === codeOrId || String(field.id) === codeOrId);
}

function textIn(element: Pick<CatalogElement, 'fields'>, column: Field | undefined): string {
  const filled = element.fields.find((field) => column !== undefined && field.fieldId === column.id);
  return String(filled?.values[0]?.value ?? '').trim();
}

export function skuOf(element: Pick<CatalogElement, 'fields'>, fields: readonly Field[], columns?: Columns): string {
  const inColumn = textIn(element, skuField(fields, columns));
  if (inColumn !== '' || columns?.sku !== undefined) return inColumn;
  const coded = element.fields.find((field) => field.code === 'SKU');
  return String(coded?.values[0]?.value ?? '').trim();
}

const bySku = (sku: string) => `sku ${sku}`;
const byMaker = (sku: string, maker: string) => `maker ${searchArticle(sku)} ${foldName(maker)}`;
const byName = (name: string) => `name ${foldName(name)}`;

/** What an element answers to; whichever way goods are matched, one walk of the catalog serves them all. */
export function matchesOf(element: CatalogElement, fields: readonly Field[], columns: Columns): string[] {
  const sku = skuOf(element, fields, columns);
  const maker = textIn(element, named(fields, columns?.maker));
  return [
    ...(sku === '' ? [] : [bySku(sku)]),
    ...(searchArticle(sku) === '' ? [] : [byMaker(sku, maker)]),
    ...(element.name.trim() === '' ? [] : [byName(element.name)]),
  ];
}

/** What the good is looked for by. A catalog without a column for the maker tells goods apart by their articles alone. */
export function matchOf({ match, sku, maker, name, columns }: GoodPayload, fields: readonly Field[]): string {
  if (match === 'name') return byName(name);
  if (match === 'sku+maker') return byMaker(sku, named(fields, columns?.maker) === undefined ? '' : (maker ?? ''));
  return bySku(sku);
}

/** Texts for the full-text search; it knows an article only as it is spelt there. */
export function searchesOf({ match, sku, name }: GoodPayload): string[] {
  const texts = match === 'name' ? [name] : match === 'sku+maker' ? [sku, searchArticle(sku)] : [sku];
  return [...new Set(texts)].filter((text) => text !== '');
}

type Written = Pick<GoodPayload, 'sku' | 'price' | 'maker' | 'unit' | 'columns'>;

export function writesOf(payload: Written, fields: readonly Field[]): FieldWrite[] {
  const { sku, price, columns } = payload;
  const priceField = named(fields, columns?.price ?? 'PRICE');
  return [
    ...(sku === '' ? [] : [skuWrite(sku, fields, columns)]),
    ...(priceField === undefined || price === undefined
      ? []
      : [{ fieldId: priceField.id, values: [{ value: price }] }]),
    ...detailsOf(payload, fields).map(({ field, text }) => ({
      fieldId: field.id,
      values: [fieldValue(text, field, 'UTC')],
    })),
  ];
}

/** Without a field for the article goods could never be found again; amoCRM's refusal then says so. */
function skuWrite(sku: string, fields: readonly Field[], columns: Columns): FieldWrite {
  const values = [{ value: sku }];
  const field = skuField(fields, columns);
  if (field !== undefined) return { fieldId: field.id, values };
  const { sku: given = 'SKU' } = columns ?? {};
  return /^\d+$/.test(given) ? { fieldId: Number(given), values } : { fieldCode: given, values };
}

interface Detail {
  column: 'maker' | 'unit';
  field: Field;
  text: string;
}

/** Maker and unit, as far as the catalog has columns for them. */
export function detailsOf(payload: Written, fields: readonly Field[]): Detail[] {
  return (['maker', 'unit'] as const).flatMap((column) => {
    const field = named(fields, payload.columns?.[column]);
    const text = payload[column] ?? '';
    return field === undefined || text === '' ? [] : [{ column, field, text }];
  });
}
