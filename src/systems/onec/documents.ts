import type { OnecDocumentMapping } from '../../config/mapping-onec-types.ts';
import type { OnecChainType, OnecDocument, OnecHead, OnecLocal, OnecRef } from '../../domain/onec.ts';
import { readMarker } from '../../domain/onec.ts';
import { RecordFault } from '../../domain/record-fault.ts';
import type { OnecEntity } from './api.ts';
import type { clientReader } from './clients.ts';
import { isRefusal, onecRef, type ReaderContext, type ThingReader } from './context.ts';
import { documentFrom } from './convert.ts';
import { BATCH, chunks, dateLiteral } from './filters.ts';
import { DOCUMENT_TYPES } from './heads.ts';
import type { ItemReader } from './items.ts';
import type { MarkReader } from './marks.ts';
import { dateOf, flagOf, refFromText, refOf, rowsOf, textOf } from './schema.ts';
import type { StateReader } from './states.ts';

export interface DocumentParts {
  things: ThingReader;
  marks: MarkReader;
  states: StateReader;
  clients: ReturnType<typeof clientReader>;
  items: ItemReader;
}

/** Whole documents, read in batches; what they share (clients, items, names) is asked for once a run. */
export function documentReader(context: ReaderContext, parts: DocumentParts) {
  return async (heads: readonly OnecHead[]): Promise<Map<string, OnecDocument | Error>> => {
    const found = new Map<string, OnecDocument | Error>();
    for (const type of DOCUMENT_TYPES) {
      const names = context.mapping.documents[type];
      const own = heads.filter((head) => head.type === type);
      if (own.length === 0) continue;
      if (names === undefined) throw new RecordFault(`the mapping knows no ${type}`);
      for (const [ref, document] of await documentsOf(context, parts, names, own)) found.set(ref, document);
    }
    return found;
  };
}

async function documentsOf(
  context: ReaderContext,
  parts: DocumentParts,
  names: OnecDocumentMapping,
  heads: readonly OnecHead[],
): Promise<Map<string, OnecDocument | Error>> {
  const found = await wholeRows(context, names, heads);
  const rows = new Map([...found].flatMap(([ref, row]) => (row instanceof Error ? [] : [[ref, row] as const])));
  const facts = await factsOf(context, parts, names, rows);
  const documents = new Map<string, OnecDocument | Error>();
  for (const head of heads) {
    const row = found.get(head.ref);
    if (row === undefined) {
      documents.set(head.ref, new RecordFault(`${names.set} ${head.number} is gone from 1C`));
    } else if (row instanceof Error) {
      documents.set(head.ref, row);
    } else {
      documents.set(head.ref, unseenFault(context, names, row) ?? converted(head, row, names, facts));
    }
  }
  return documents;
}

/** Without its client or a part of its goods a deal would be wrong, and nobody would know. */
function unseenFault(
  { hidden, mapping }: ReaderContext,
  names: OnecDocumentMapping,
  row: OnecEntity,
): RecordFault | undefined {
  const { counterparty, item, work } = mapping.catalogs;
  const things = (table: typeof names.goods, set: string) =>
    rowsOf(row, table?.table).map((line) => ({ set, ref: refOf(line, table?.item) }));
  const unseen = [
    { set: counterparty.set, ref: refOf(row, ownerOf(names)) },
    ...things(names.goods, item.set),
    ...things(names.works, work.set),
  ].find(({ ref }) => hidden.has(ref ?? ''));
  if (unseen === undefined) return undefined;
  const { set, ref = '' } = unseen;
  return new RecordFault(
    `it needs ${ref} of ${set}, which 1C does not show: ${hidden.get(ref)?.message}`,
    'Give the user of ONEC_USER a role that may read it without restrictions on rows; it is tried again by itself.',
  );
}

/** Whose the document is. */
function ownerOf({ counterparty, customer }: OnecDocumentMapping): string | undefined {
  return counterparty ?? customer;
}

function converted(
  head: OnecHead,
  row: OnecEntity,
  names: OnecDocumentMapping,
  facts: Awaited<ReturnType<typeof factsOf>>,
): OnecDocument | Error {
  try {
    return documentFrom(head, row, names, facts(head.ref, row));
  } catch (error) {
    if (error instanceof RecordFault) return error;
    throw error;
  }
}

/** Without $select: what stands in a document differs between configurations. A batch that 1C refuses is asked for singly. */
async function wholeRows(
  { odata }: ReaderContext,
  { set }: OnecDocumentMapping,
  heads: readonly OnecHead[],
): Promise<Map<string, OnecEntity | Error>> {
  const found = new Map<string, OnecEntity | Error>();
  for (const some of chunks([...new Set(heads.map((head) => head.ref))], BATCH)) {
    try {
      for (const [ref, row] of await odata.byRefs(set, some)) found.set(ref, row);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      for (const ref of some) {
        const row = await odata.get(set, ref).catch((refusal: unknown) => {
          if (isRefusal(refusal)) return refusal;
          throw refusal;
        });
        if (row !== undefined) found.set(ref, row);
      }
    }
  }
  return found;
}

type DocumentRows = ReadonlyMap<string, OnecEntity>;

/** Everything that these documents refer to, in bulk; the answer picks what belongs to one of them. */
async function factsOf(context: ReaderContext, parts: DocumentParts, names: OnecDocumentMapping, rows: DocumentRows) {
  const { catalogs } = context.mapping;
  const all = [...rows.values()];
  const marks = await parts.marks.marks(names.set, [...rows.keys()]);
  const states = await parts.states.statesOf(names, all);
  const owner = ownerOf(names);
  const clients = await parts.clients.clients(all.map((row) => refOf(row, owner)));
  const lines = await linesOf(context, parts, names, all);
  const cars = await carsOf(context, parts.things, names, rows);
  const named = async (set: string, field: string | undefined) => {
    const refs = all.map((row) => refOf(row, field));
    const found = await parts.things(set, refs);
    return (row: OnecEntity): OnecRef | undefined => {
      const ref = refOf(row, field);
      const thing = ref === undefined ? undefined : found.get(ref);
      return ref === undefined || thing === undefined ? undefined : onecRef(ref, thing);
    };
  };
  const organization = await named(catalogs.organization.set, names.organization);
  const department = await named(catalogs.department.set, names.department);
  const manager = await named((catalogs.manager ?? catalogs.user).set, names.manager);
  const author = await named(catalogs.user.set, names.author);
  return (ref: string, row: OnecEntity) => ({
    marks: marks.get(ref) ?? {},
    organization: organization(row),
    department: department(row),
    user: manager(row) ?? author(row),
    state: states.get(ref),
    car: cars(ref).car,
    carId: cars(ref).carId,
    client: clients.get(refOf(row, owner) ?? ''),
    lines,
  });
}

async function linesOf(
  context: ReaderContext,
  { items: reader }: DocumentParts,
  { goods, works }: OnecDocumentMapping,
  rows: readonly OnecEntity[],
) {
  const { item, work, unit } = context.mapping.catalogs;
  // Rows may take their unit from a catalog of each item's own (Alfa-Auto 6.1); the item's is then the one with a name.
  const unitSet = item.unit === undefined ? unit?.set : undefined;
  const refsOf = (table: typeof goods, column: string | undefined) => [
    ...new Set(rows.flatMap((row) => rowsOf(row, table?.table).flatMap((line) => refOf(line, column) ?? []))),
  ];
  const items = await reader.items(refsOf(goods, goods?.item));
  const workItems = await reader.workItems(refsOf(works, works?.item));
  return {
    items,
    works: workItems,
    itemIds: await reader.amoIds(item.set, [...items.keys()]),
    workIds: await reader.amoIds(work.set, [...workItems.keys()]),
    units: await reader.namesOf(unitSet, [...refsOf(goods, goods?.unit), ...refsOf(works, works?.unit)]),
  };
}

/**
 * The car: a text, or a reference to the catalog of cars. Alfa-Auto 6.1 keeps it in the repair summary that a work order belongs to;
 * that is only read where amoCRM is to show it.
 */
async function carsOf(context: ReaderContext, things: ThingReader, names: OnecDocumentMapping, rows: DocumentRows) {
  const { documents, catalogs, fields, export: exported } = context.mapping;
  const summary = documents.repairSummary;
  const templates = [exported.names.workOrder, exported.names.customerOrder];
  const shown =
    fields.car !== undefined ||
    fields.contactCarId !== undefined ||
    templates.some(({ names }) => names.includes('car'));
  const holders = new Map([...rows].map(([ref, row]) => [ref, { row, car: names.car, id: names.carId }]));
  if (shown && names.car === undefined && names.chain !== undefined && summary?.car !== undefined) {
    const select = [...new Set(['Ref_Key', summary.car, ...(summary.carId === undefined ? [] : [summary.carId])])];
    const chain = await things(
      summary.set,
      [...rows.values()].map((row) => refOf(row, names.chain)),
      select,
    );
    for (const [ref, row] of rows) {
      const above = chain.get(refOf(row, names.chain) ?? '');
      if (above !== undefined) holders.set(ref, { row: above, car: summary.car, id: summary.carId });
    }
  }
  const refs = [...holders.values()].flatMap(({ row, car, id }) => [refOf(row, car), refOf(row, id)]);
  const cars =
    catalogs.car === undefined || !shown ? new Map<string, OnecEntity>() : await things(catalogs.car.set, refs);
  const shownAs = (row: OnecEntity, field: string | undefined, described: (car: OnecEntity) => string) => {
    const text = textOf(row, field);
    const ref = refFromText(text);
    if (ref !== undefined) return described(cars.get(ref) ?? {});
    // An empty reference is no text.
    return field?.endsWith('_Key') ? '' : text;
  };
  return (document: string) => {
    const holder = holders.get(document);
    if (holder === undefined) return { car: '', carId: '' };
    return {
      car: shownAs(holder.row, holder.car, (car) => textOf(car, 'Description') || textOf(car, 'VIN')),
      carId: shownAs(holder.row, holder.id, (car) => textOf(car, 'VIN') || textOf(car, 'Code')),
    };
  };
}

/** Documents that carry a marker of ours, dated from here on: deal → ref. Every one of the window is read, so that no filter on text can lie. */
export async function markedDocuments(
  context: ReaderContext,
  type: OnecChainType,
  from: OnecLocal,
): Promise<Map<number, string>> {
  const names = context.mapping.documents[type];
  const found = new Map<number, { ref: string; marked: boolean }>();
  if (names?.comment === undefined) return new Map();
  const { comment, date } = names;
  const pages = context.odata.pages(names.set, {
    filter: `${date} ge ${dateLiteral(from)}`,
    select: ['Ref_Key', 'DeletionMark', date, comment],
    orderby: `${date},${names.number}`,
    pageSize: Math.max(context.mapping.server.pageSize, 500),
  });
  for await (const page of pages) {
    for (const row of page) {
      const [ref, { dealId }] = [refOf(row, 'Ref_Key'), readMarker(textOf(row, comment))];
      const at = dateOf(row, date);
      if (ref === undefined || dealId === undefined || at === undefined || at < from) continue;
      const known = found.get(dealId);
      // A marked one counts only where no other stands for the deal; among equals the first.
      if (known === undefined || (known.marked && !flagOf(row, 'DeletionMark'))) {
        found.set(dealId, { ref, marked: flagOf(row, 'DeletionMark') });
      }
    }
  }
  return new Map([...found].map(([dealId, { ref }]) => [dealId, ref]));
}
