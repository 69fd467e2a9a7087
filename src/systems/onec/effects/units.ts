import type { OnecMapping } from '../../../config/mapping-onec-types.ts';
import type { OnecChainType } from '../../../domain/onec.ts';
import type { OnecEntity, OnecOdata } from '../api.ts';
import { unlessRefused } from '../context.ts';
import { BATCH, chunks } from '../filters.ts';
import { refOf } from '../schema.ts';
import { KINDS } from './payloads.ts';

const TYPES: { readonly [kind: string]: OnecChainType } = {
  [KINDS.request]: 'repairRequest',
  [KINDS.workOrder]: 'workOrder',
  [KINDS.customerOrder]: 'customerOrder',
};

/**
 * The units that goods are counted in: 1C makes an item's unit itself when the item is written (Alfa-Auto's
 * ОсновнаяЕдиницаИзмерения), so that nobody knows it before. Each item is asked for once a run.
 */
export interface OwnUnits {
  /** Reads the units of all items of these documents at once, so that none is asked for by its own. */
  prepare(kind: string, bodies: () => readonly OnecEntity[]): Promise<void>;
  /** The body of a document with the unit of each item; an item without one keeps what the row had. */
  filled(kind: string, body: OnecEntity): Promise<OnecEntity>;
}

export function ownUnits(odata: OnecOdata, { documents, catalogs }: OnecMapping): OwnUnits {
  const { set, lineUnit } = catalogs.item;
  const units = new Map<string, string | undefined>();

  function goodsOf(kind: string) {
    const type = TYPES[kind];
    const goods = type === undefined ? undefined : documents[type]?.goods;
    return goods?.unit === undefined || lineUnit === undefined ? undefined : { ...goods, unit: goods.unit, lineUnit };
  }

  async function read(refs: readonly string[], column: string): Promise<void> {
    const unknown = [...new Set(refs)].filter((ref) => !units.has(ref));
    for (const some of chunks(unknown, BATCH)) {
      // One item that our user may not see makes 1C refuse all of them; they are then asked for with their document.
      const rows = await unlessRefused(odata.byRefs(set, some, ['Ref_Key', column]));
      if (rows === undefined) continue;
      for (const ref of some) units.set(ref, refOf(rows.get(ref) ?? {}, column));
    }
  }

  return {
    prepare: async (kind, bodies) => {
      const goods = goodsOf(kind);
      if (goods === undefined) return;
      const rows = bodies().flatMap((body) => (body[goods.table] ?? []) as OnecEntity[]);
      await read(
        rows.flatMap((row) => refOf(row, goods.item) ?? []),
        goods.lineUnit,
      );
    },
    filled: async (kind, body) => {
      const goods = goodsOf(kind);
      if (goods === undefined) return body;
      const rows = (body[goods.table] ?? []) as OnecEntity[];
      if (rows.length === 0) return body;
      await read(
        rows.flatMap((row) => refOf(row, goods.item) ?? []),
        goods.lineUnit,
      );
      const counted = rows.map((row) => {
        const own = units.get(refOf(row, goods.item) ?? '');
        return own === undefined ? row : { ...row, [goods.unit]: own };
      });
      return { ...body, [goods.table]: counted };
    },
  };
}
