import type { OnecLocal } from '../../domain/onec.ts';
import type { Output } from '../define.ts';
import type { ListedDeal } from './deals.ts';
import type { Exchange, ListedDocument, ListedLine, Listing } from './documents.ts';
import { type Column, fitTable, type Paint } from './fit.ts';

export { painter } from './fit.ts';

export interface TextOptions {
  out: Output;
  paint: Paint;
}

const SIGNS: Readonly<Record<Exchange, string>> = { new: '+', changed: '~', exchanged: '' };
const MISSING = '—';

type Numbered<T> = T & { no: number };

/** The list as a table that fits the terminal, the lines of the documents beneath it, and what the signs mean. */
export async function documentsText(
  { documents, problems }: Listing,
  { lines, dropped, out, paint }: TextOptions & { lines: boolean; dropped: number },
): Promise<string> {
  const rows = documents.map((document, index) => ({ ...document, no: index + 1 }));
  const parts = rows.length === 0 ? ['No documents.'] : [await fitted(documentColumns(paint), rows, out)];
  if (lines && rows.some((row) => row.lines.length > 0)) {
    const all = rows.flatMap((row) => row.lines.map((line) => ({ ...line, document: row.number })));
    parts.push('', await fitted(lineColumns(paint), all, out));
  }
  const counted = (exchange: Exchange) => rows.filter((row) => row.exchange === exchange).length;
  const left = dropped === 0 ? '' : `; unchanged and left out: ${dropped}`;
  parts.push(
    '',
    `Documents: ${rows.length}; never exported (+): ${counted('new')}; changed (~): ${counted('changed')}${left}`,
  );
  for (const { number, fault } of rows) if (fault !== undefined) parts.push(`! ${number}: ${fault}`);
  for (const { name, reason } of problems) parts.push(`! ${name}: ${reason}`);
  return parts.join('\n');
}

export async function dealsText(deals: readonly ListedDeal[], { out, paint }: TextOptions): Promise<string> {
  if (deals.length === 0) return 'No deals.';
  const rows = deals.map((deal, index) => ({ ...deal, no: index + 1 }));
  return fitted(dealColumns(paint), rows, out);
}

async function fitted<Row>(columns: readonly Column<Row>[], rows: readonly Row[], out: Output): Promise<string> {
  const table = fitTable(columns, rows, out.width);
  return out.table(table.head, table.rows);
}

/** A missing id is a fault or work to be done; in colour it stands out even in a long list. */
function onRedWhereMissing<Row>(value: (row: Row) => unknown, paint: Paint) {
  return (row: Row, text: string) => (value(row) === null ? paint(text, 'onRed') : text);
}

function documentColumns(paint: Paint): Column<Numbered<ListedDocument>>[] {
  return [
    {
      head: '№',
      text: ({ no, exchange }) => `${no}${SIGNS[exchange]}`,
      paint: ({ exchange }, text) => (exchange === 'exchanged' ? text : paint(text, 'magenta')),
    },
    {
      head: 'document',
      text: ({ type, number }) => `${type === 'workOrder' ? 'work' : 'order'} ${number}`,
      paint: ({ type }, text) => (type === 'customerOrder' ? paint(text, 'green') : text),
    },
    { head: 'client', text: ({ client }) => client ?? MISSING, least: 8 },
    { head: 'sum', text: ({ amount }) => moneyText(amount), right: true },
    {
      head: 'deal',
      text: ({ deal_id }) => idText(deal_id),
      paint: onRedWhereMissing(({ deal_id }) => deal_id, paint),
    },
    {
      head: 'client id',
      text: ({ client_id }) => idText(client_id),
      paint: onRedWhereMissing(({ client_id }) => client_id, paint),
    },
    { head: 'state', text: ({ state }) => state ?? MISSING, least: 8 },
    { head: 'stage', text: ({ stage_id }) => idText(stage_id), drop: 2 },
    { head: 'written', text: ({ written_at }) => timeText(written_at), drop: 1 },
    { head: 'exported', text: ({ exported_at }) => timeText(exported_at), drop: 3 },
  ];
}

function lineColumns(paint: Paint): Column<ListedLine & { document: string }>[] {
  return [
    { head: 'document', text: ({ document }) => document },
    { head: 'article', text: ({ article }) => article, least: 8 },
    { head: 'maker', text: ({ maker }) => maker, least: 6, drop: 1 },
    { head: 'name', text: ({ name }) => name, least: 10 },
    { head: 'price', text: ({ price }) => moneyText(price), right: true },
    { head: 'quantity', text: ({ quantity }) => String(quantity), right: true },
    { head: 'sum', text: ({ sum }) => moneyText(sum), right: true },
    { head: 'work', text: ({ work }) => (work ? 'yes' : '') },
    {
      head: 'catalog id',
      text: ({ catalog_id }) => idText(catalog_id),
      paint: onRedWhereMissing(({ catalog_id }) => catalog_id, paint),
    },
  ];
}

function dealColumns(paint: Paint): Column<Numbered<ListedDeal>>[] {
  return [
    { head: '№', text: ({ no }) => String(no) },
    { head: 'deal', text: ({ deal_id }) => String(deal_id) },
    {
      head: 'document',
      text: ({ document }) => document ?? MISSING,
      paint: onRedWhereMissing(({ document }) => document, paint),
    },
    {
      head: 'client id',
      text: ({ client_id }) => idText(client_id),
      paint: onRedWhereMissing(({ client_id }) => client_id, paint),
    },
    { head: 'company', text: ({ is_company }) => (is_company ? 'yes' : ''), drop: 2 },
    { head: 'sum', text: ({ amount }) => moneyText(amount), right: true },
    { head: 'stage', text: ({ stage_id }) => String(stage_id), drop: 1 },
    { head: 'state', text: ({ state }) => state ?? MISSING, least: 8 },
    { head: 'would', text: ({ would }) => would, least: 10 },
  ];
}

function idText(id: number | null): string {
  return id === null ? MISSING : String(id);
}

function moneyText(amount: number | null): string {
  return amount === null ? MISSING : amount.toFixed(2);
}

/** As people write it: `27.05.2025 09:00`. */
function timeText(local: OnecLocal | null): string {
  const [, year, month, day, time] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d:\d\d)/.exec(local ?? '') ?? [];
  return year === undefined ? MISSING : `${day}.${month}.${year} ${time}`;
}
