import type { OnecDocumentMapping, OnecTable } from '../../config/mapping-onec-types.ts';
import { minorFromNumber } from '../../domain/money.ts';
import {
  type OnecDocument,
  type OnecHead,
  type OnecLine,
  type OnecMarks,
  type OnecRef,
  readMarker,
} from '../../domain/onec.ts';
import { RecordFault } from '../../domain/record-fault.ts';
import type { OnecEntity } from './api.ts';
import type { OnecItem, OnecWork } from './items.ts';
import { numberOf, refOf, rowsOf, textOf } from './schema.ts';

/** What the lines of a document refer to. */
export interface LineFacts {
  items: ReadonlyMap<string, OnecItem>;
  works: ReadonlyMap<string, OnecWork>;
  itemIds: ReadonlyMap<string, number>;
  workIds: ReadonlyMap<string, number>;
  units: ReadonlyMap<string, string>;
}

/** Everything that a document refers to, read already. */
export interface DocumentFacts {
  marks: OnecMarks;
  organization: OnecRef | undefined;
  department: OnecRef | undefined;
  user: OnecRef | undefined;
  state: OnecRef | undefined;
  car: string;
  carId: string;
  client: OnecDocument['client'];
  lines: LineFacts;
}

/**
 * A document as 1C gives it, whole. Pure. Throws a RecordFault that names the field where an amount or a quantity cannot be
 * read: without it the deal would show a wrong sum.
 */
export function documentFrom(
  head: OnecHead,
  row: OnecEntity,
  names: OnecDocumentMapping,
  facts: DocumentFacts,
): OnecDocument {
  const { text: comment, dealId } = readMarker(textOf(row, names.comment));
  const { lines: known, ...own } = facts;
  const goods = linesFrom('item', row, names.goods, known);
  const lines = [...goods, ...linesFrom('work', row, names.works, known)];
  const writtenAt = facts.marks.writtenAt ?? head.writtenAt;
  return {
    ...head,
    // The head may be some minutes old by now; what is told of the document is this row.
    dataVersion: textOf(row, 'DataVersion') || head.dataVersion,
    ...(writtenAt === undefined ? {} : { writtenAt }),
    ...own,
    ...(dealId === undefined ? {} : { madeForDeal: dealId }),
    amountMinor: amountOf(row, names.amount, sumOfRows(row, names)),
    comment,
    reason: textOf(row, names.reason),
    recommendations: textOf(row, names.recommendations),
    recommendedParts: textOf(row, names.recommendedParts),
    lines,
  };
}

/** The header's sum stays 0 until 1C itself has posted the document (seen in the wild); the rows know better then. */
function amountOf(row: OnecEntity, name: string | undefined, rows: number): number {
  const header = name === undefined ? 0 : minorOf(row, name, name);
  return header === 0 ? rows : header;
}

function sumOfRows(row: OnecEntity, names: OnecDocumentMapping): number {
  const tables = [names.goods, names.works].filter((table) => table !== undefined);
  return tables.reduce((sum, table) => {
    return rowsOf(row, table.table).reduce(
      (total, one, index) => total + totalOf(one, table, where(table, index)),
      sum,
    );
  }, 0);
}

const where = (table: OnecTable, index: number) => `row ${index + 1} of ${table.table}`;

function minorOf(row: OnecEntity, name: string, place: string): number {
  const amount = row[name] === undefined || row[name] === null ? 0 : numberOf(row, name);
  const minor = amount === undefined ? undefined : minorFromNumber(amount);
  if (minor === undefined) throw new RecordFault(`${place}: ${name} is no amount`, 'Correct the document in 1C.');
  return minor;
}

function quantityOf(row: OnecEntity, table: OnecTable, place: string): number {
  const quantity = numberOf(row, table.qty);
  if (quantity === undefined)
    throw new RecordFault(`${place}: ${table.qty} is no number`, 'Correct the document in 1C.');
  return quantity;
}

function totalOf(row: OnecEntity, table: OnecTable, place: string): number {
  const column = table.total ?? table.sum;
  if (column !== undefined) return minorOf(row, column, place);
  return Math.round(minorOf(row, table.price, place) * quantityOf(row, table, place));
}

function linesFrom(
  kind: OnecLine['kind'],
  row: OnecEntity,
  table: OnecTable | undefined,
  facts: LineFacts,
): OnecLine[] {
  if (table === undefined) return [];
  const things: ReadonlyMap<string, OnecWork & { maker?: string; unit?: string }> =
    kind === 'item' ? facts.items : facts.works;
  const ids = kind === 'item' ? facts.itemIds : facts.workIds;
  return rowsOf(row, table.table).flatMap((line, index) => {
    const place = where(table, index);
    const ref = refOf(line, table.item);
    const thing = ref === undefined ? undefined : things.get(ref);
    // An empty row, or one whose item was removed from 1C: nothing that a deal could show. Its sum is in the document's.
    if (thing === undefined) return [];
    const amoId = ids.get(thing.ref);
    return {
      kind,
      ref: thing.ref,
      code: thing.code,
      article: thing.article,
      maker: thing.maker ?? '',
      name: thing.name,
      unit: facts.units.get(refOf(line, table.unit) ?? '') || (thing.unit ?? ''),
      quantity: quantityOf(line, table, place),
      priceMinor: minorOf(line, table.price, place),
      totalMinor: totalOf(line, table, place),
      ...(amoId === undefined ? {} : { amoId }),
    };
  });
}
