import type { OnecChainType } from '../../../domain/onec.ts';
import type { OnecEntity } from '../api.ts';
import { refOf } from '../schema.ts';
import type { OnecWriter } from './context.ts';
import { KINDS } from './payloads.ts';

const TYPES: { readonly [kind: string]: OnecChainType } = {
  [KINDS.request]: 'repairRequest',
  [KINDS.workOrder]: 'workOrder',
  [KINDS.customerOrder]: 'customerOrder',
};

/**
 * The body of a document whose goods are counted in the unit of each item: 1C makes that unit itself when an item is written
 * (Alfa-Auto's ОсновнаяЕдиницаИзмерения), so that nobody knows it before. An item without one keeps what the row had.
 */
export async function withOwnUnits(
  { odata, mapping }: OnecWriter,
  kind: string,
  body: OnecEntity,
): Promise<OnecEntity> {
  const type = TYPES[kind];
  const goods = type === undefined ? undefined : mapping.documents[type]?.goods;
  const { set, lineUnit } = mapping.catalogs.item;
  if (goods?.unit === undefined || lineUnit === undefined) return body;
  const { table, item, unit } = goods;
  const rows = (body[table] ?? []) as OnecEntity[];
  const refs = rows.flatMap((row) => refOf(row, item) ?? []);
  if (refs.length === 0) return body;
  const items = await odata.byRefs(set, refs, ['Ref_Key', lineUnit]);
  const filled = rows.map((row) => {
    const own = refOf(items.get(refOf(row, item) ?? '') ?? {}, lineUnit);
    return own === undefined ? row : { ...row, [unit]: own };
  });
  return { ...body, [table]: filled };
}
