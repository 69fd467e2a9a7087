import type { OnecDocumentMapping } from '../../config/mapping-onec-types.ts';
import type { OnecDocumentType, OnecHead, OnecLocal } from '../../domain/onec.ts';
import type { Range } from '../../domain/range.ts';
import type { OnecEntity } from './api.ts';
import type { ReaderContext } from './context.ts';
import { dateLiteral, textLiteral } from './filters.ts';
import type { MarkReader } from './marks.ts';
import { dateOf, flagOf, refOf, textOf } from './schema.ts';
import { localRange } from './time.ts';

export const DOCUMENT_TYPES: readonly OnecDocumentType[] = ['workOrder', 'customerOrder'];
/** A head weighs some 300 bytes, so that pages may be larger than those of whole documents. */
const HEADS_PAGE = 500;

interface Kind {
  type: OnecDocumentType;
  names: OnecDocumentMapping;
  /** The property of the last write, where the strategy wants it. */
  written: string | undefined;
  /** Properties of which one must lie in the window. */
  dates: readonly string[];
  select: readonly string[];
}

/** A reference or a field of ours must not be asked for twice: 1C refuses a doubled name in $select. */
function kindsOf(context: ReaderContext): Kind[] {
  const { documents, changes } = context.mapping;
  const written = changes.strategy.includes('field') ? changes.field : undefined;
  return DOCUMENT_TYPES.flatMap((type) => {
    const names = documents[type];
    if (names === undefined) return [];
    const select = ['Ref_Key', 'DataVersion', 'DeletionMark', names.number, names.date, names.posted];
    const dates = [names.date, written, changes.created].filter((name) => name !== undefined);
    return [{ type, names, written, dates: [...new Set(dates)], select: [...new Set([...select, ...dates])] }];
  });
}

function headFrom(kind: Kind, row: OnecEntity, writtenAt: OnecLocal | undefined): OnecHead | undefined {
  const [ref, date] = [refOf(row, 'Ref_Key'), dateOf(row, kind.names.date)];
  if (ref === undefined || date === undefined) return undefined;
  const at = writtenAt ?? dateOf(row, kind.written);
  return {
    type: kind.type,
    ref,
    number: textOf(row, kind.names.number),
    date,
    posted: flagOf(row, kind.names.posted),
    deletionMark: flagOf(row, 'DeletionMark'),
    dataVersion: textOf(row, 'DataVersion'),
    ...(at === undefined ? {} : { writtenAt: at }),
  };
}

/** Light rows of documents: what tells whether one has changed, and no more. */
export function headReader(context: ReaderContext, marks: MarkReader) {
  const { odata, mapping } = context;
  const zone = mapping.server.timeZone ?? context.zone;
  const byProperty = mapping.changes.strategy.includes('property');

  /** Documents whose date, last write or making lies in the window; the window is filtered again here, since 1C's filters may be ignored. */
  async function* window(kind: Kind, from: OnecLocal, to: OnecLocal, written: ReadonlyMap<string, { at: OnecLocal }>) {
    const fields = kind.dates;
    const terms = fields.map((name) => `(${name} ge ${dateLiteral(from)} and ${name} lt ${dateLiteral(to)})`);
    const inside = (row: OnecEntity) =>
      fields.some((name) => {
        const at = dateOf(row, name);
        return at !== undefined && at >= from && at < to;
      });
    const pages = odata.pages(kind.names.set, {
      filter: terms.join(' or '),
      select: kind.select,
      // Stable, and cheaper than Ref_Key, by which 1C sorts as by the document's presentation (1C developer's guide, 17.4).
      orderby: `${kind.names.date},${kind.names.number}`,
      pageSize: Math.max(mapping.server.pageSize, HEADS_PAGE),
    });
    for await (const page of pages) {
      yield page
        .filter(inside)
        .flatMap((row) => headFrom(kind, row, written.get(refOf(row, 'Ref_Key') ?? '')?.at) ?? []);
    }
  }

  async function* heads(range: Range, { marked = false }: { marked?: boolean } = {}): AsyncGenerator<OnecHead[]> {
    const { from, to } = localRange(range, zone);
    const written = byProperty
      ? await marks.writtenBetween(from, to)
      : new Map<string, { set: string; at: OnecLocal }>();
    for (const kind of kindsOf(context)) {
      const seen = new Set<string>();
      for await (const page of window(kind, from, to, written)) {
        const fresh = page.filter(({ ref }) => !seen.has(ref));
        for (const { ref } of fresh) seen.add(ref);
        const usable = fresh.filter((head) => marked || !head.deletionMark);
        if (usable.length > 0) yield usable;
      }
      const older = [...written]
        .filter(([ref, { set }]) => set === kind.names.set && !seen.has(ref))
        .map(([ref]) => ref);
      const rows = older.length === 0 ? [] : await odata.byRefs(kind.names.set, older, kind.select);
      const found = [...rows].flatMap(([ref, row]) => headFrom(kind, row, written.get(ref)?.at) ?? []);
      const usable = found.filter((head) => marked || !head.deletionMark);
      if (usable.length > 0) yield usable;
    }
  }

  /** Heads with the time of writing as the window's list would give it. */
  async function withTimes(kind: Kind, rows: readonly OnecEntity[]): Promise<OnecHead[]> {
    const refs = rows.flatMap((row) => refOf(row, 'Ref_Key') ?? []);
    const times = byProperty ? await marks.marks(kind.names.set, refs) : undefined;
    return rows.flatMap((row) => headFrom(kind, row, times?.get(refOf(row, 'Ref_Key') ?? '')?.writtenAt) ?? []);
  }

  return {
    heads,
    /** Marked ones too: who asks for one document wants to know what became of it. */
    head: async (ref: string): Promise<OnecHead | undefined> => {
      for (const kind of kindsOf(context)) {
        const row = (await odata.byRefs(kind.names.set, [ref.toLowerCase()], kind.select)).get(ref.toLowerCase());
        if (row !== undefined) return (await withTimes(kind, [row]))[0];
      }
      return undefined;
    },
    headsByNumber: async (number: string): Promise<OnecHead[]> => {
      const found: OnecHead[] = [];
      const wanted = number.trim();
      for (const kind of wanted === '' ? [] : kindsOf(context)) {
        const { set, number: name, date } = kind.names;
        const literal = textLiteral(wanted);
        const query = { select: kind.select, orderby: date };
        let rows = await odata.list(set, { ...query, filter: `${name} eq ${literal}` });
        // Numbers of fixed length are filled with blanks, which some bases compare and some do not.
        if (rows.length === 0) rows = await odata.list(set, { ...query, filter: `startswith(${name},${literal})` });
        found.push(
          ...(await withTimes(
            kind,
            rows.filter((row) => textOf(row, name) === wanted),
          )),
        );
      }
      return found;
    },
  };
}
