import type { Delivery } from '../../../domain/handler.ts';
import { type OnecChainType, readMarker } from '../../../domain/onec.ts';
import { guid, type OnecEntity } from '../api.ts';
import { textLiteral } from '../filters.ts';
import { orFilters } from '../query.ts';
import { dateOf, flagOf, refOf, rowsOf, textOf } from '../schema.ts';
import { deterministicRef, filledBody } from './body.ts';
import { groupBy, idOf, type OnecWriter } from './context.ts';
import { createOf, earliest } from './find.ts';
import type { CreatePayload } from './payloads.ts';

/** Whether 1C takes the reference that a client gives a new object: not documented, so that the first answer tells. */
export const HONOURED = 'onec_ref_key_honoured';

/** What a look has found: the object, or why its absence cannot be relied upon; undefined where it is surely absent. */
export type Seen = { ref: string } | { distrust: string } | undefined;

/** Looks objects up afresh, past whatever the run has read before: an object may have come to stand since. */
export async function lookAfresh(
  writer: OnecWriter,
  kind: string,
  deliveries: readonly Delivery[],
): Promise<Map<number, Seen>> {
  const honoured = await writer.memory.fact(HONOURED);
  const seen = new Map<number, Seen>();
  if (honoured !== 'no') {
    for (const [id, ref] of await byOwnRef(writer, deliveries)) seen.set(id, { ref });
  }
  const rest = deliveries.filter(({ row }) => !seen.has(row.id));
  const documents = rest.filter((delivery) => createOf(delivery).find.by === 'marker');
  for (const [type, group] of groupBy(documents, typeOf)) {
    for (const [id, one] of await byMarker(writer, { kind, type, trusted: honoured === 'yes' }, group))
      seen.set(id, one);
  }
  for (const delivery of rest.filter((one) => !documents.includes(one))) {
    // What was never sent is left to `known`, whose rules also find what people have entered.
    if (delivery.row.sentAt === null) continue;
    seen.set(delivery.row.id, await byContent(writer, { kind, trusted: honoured === 'yes' }, delivery));
  }
  return seen;
}

function typeOf(delivery: Delivery): OnecChainType {
  const { find } = createOf(delivery);
  return find.by === 'marker' ? find.type : 'workOrder';
}

/** What was sent is asked for singly where a list does not show it; for the many of a first look a list will do, since `known` follows. */
async function byOwnRef({ odata }: OnecWriter, deliveries: readonly Delivery[]): Promise<[number, string][]> {
  const select = ['Ref_Key', 'DeletionMark'];
  const hits: [number, string][] = [];
  for (const [set, group] of groupBy(deliveries, (delivery) => createOf(delivery).set)) {
    const refs = new Map(group.map(({ row }) => [row.id, deterministicRef(row.key)]));
    const sent = group.filter(({ row }) => row.sentAt !== null).flatMap(({ row }) => refs.get(row.id) ?? []);
    const rows = sent.length === 0 ? [] : [...(await odata.byRefs(set, sent, select)).values()];
    const others = [...refs.values()].filter((ref) => !sent.includes(ref));
    for (const filter of orFilters(others.map((ref) => `Ref_Key eq ${guid(ref)}`))) {
      rows.push(...(await odata.list(set, { filter, select })));
    }
    const standing = new Set(rows.filter((row) => !flagOf(row, 'DeletionMark')).map((row) => refOf(row, 'Ref_Key')));
    for (const [id, ref] of refs) if (standing.has(ref)) hits.push([id, ref]);
  }
  return hits;
}

interface Trust {
  kind: string;
  /** 1C has taken our references so far, so that what is not found by its own reference is not there. */
  trusted: boolean;
}

/** Documents by the marker in their comment, in a list that must also show one that is known to have such a marker. */
async function byMarker(
  writer: OnecWriter,
  { kind, type, trusted }: Trust & { type: OnecChainType },
  deliveries: readonly Delivery[],
): Promise<[number, Seen][]> {
  const mapping = writer.mapping.documents[type];
  if (mapping?.comment === undefined) {
    const seen = trusted ? undefined : { distrust: 'its document has no comment to hold a marker' };
    return deliveries.map(({ row }) => [row.id, seen]);
  }
  const wanted = deliveries.flatMap(({ row }) => {
    const { find } = row.payload as CreatePayload;
    return find.by === 'marker' ? [{ id: row.id, find }] : [];
  });
  const from = earliest(wanted.map(({ find }) => find.from));
  const control = await markedControl(writer, kind, mapping, deliveries);
  const shown = await writer.reader.markedDocuments(
    type,
    control === undefined ? from : earliest([from, control.date]),
  );
  const honest = control === undefined || [...shown.values()].includes(control.ref);
  const standing = await writer.living.of([...shown.values()].map((ref) => ({ set: mapping.set, ref })));
  return wanted.map(({ id, find }): [number, Seen] => {
    const ref = shown.get(find.dealId);
    if (ref !== undefined && standing.has(ref)) return [id, { ref }];
    return [id, honest ? undefined : { distrust: 'the list of documents does not show one that exists' }];
  });
}

/** The newest document of ours that stands and still has its marker, for people may edit a comment. */
async function markedControl(
  { odata, memory }: OnecWriter,
  kind: string,
  { set, comment, date }: { set: string; comment: string | undefined; date: string },
  deliveries: readonly Delivery[],
): Promise<{ ref: string; date: string } | undefined> {
  const refs = await memory.controls(kind, controlsBefore(deliveries));
  if (refs.length === 0 || comment === undefined) return undefined;
  const rows = await odata.byRefs(set, refs, ['Ref_Key', 'DeletionMark', date, comment]);
  const usable = [...rows].flatMap(([ref, row]) => {
    const dated = dateOf(row, date);
    const marked = readMarker(textOf(row, comment)).dealId !== undefined;
    return dated === undefined || !marked || flagOf(row, 'DeletionMark') ? [] : [{ ref, date: dated }];
  });
  return usable.sort((a, b) => (a.date < b.date ? 1 : -1))[0];
}

/** Controls must be bound before the doubtful sending; effects that were never sent have no such moment. */
function controlsBefore(deliveries: readonly Delivery[]): Date {
  const sent = deliveries.flatMap(({ row }) => (row.sentAt === null ? [] : [Date.parse(row.sentAt)]));
  return sent.length > 0 ? new Date(Math.min(...sent)) : new Date('9999-12-31T00:00:00Z');
}

/** Where an object of a catalog is looked for by what was sent: a set, the rows in question, and which of them are it. */
interface Query {
  set: string;
  terms: readonly string[];
  columns: readonly string[];
  fits(row: OnecEntity): boolean;
  /** Whether an object must show up in this set, so that its absence says something. */
  shows(entity: OnecEntity): boolean;
}

async function byContent(writer: OnecWriter, { kind, trusted }: Trust, delivery: Delivery): Promise<Seen> {
  const { set } = createOf(delivery);
  const query = queryFor(writer, delivery);
  if (query === undefined)
    return trusted ? undefined : { distrust: 'it has nothing by which it could be told from others' };
  const control = await contentControl(writer, kind, query, delivery);
  const terms = [...query.terms, ...(control === undefined ? [] : [`Ref_Key eq ${guid(control)}`])];
  const rows = await writer.odata.list(query.set, {
    filter: terms.join(' or '),
    select: ['Ref_Key', ...query.columns],
  });
  const refs = rows.filter((row) => query.fits(row)).flatMap((row) => refOf(row, 'Ref_Key') ?? []);
  const standing = await writer.living.of(refs.map((ref) => ({ set, ref })));
  const ref = refs.find((one) => standing.has(one));
  if (ref !== undefined) return { ref };
  const honest = control === undefined || rows.some((row) => refOf(row, 'Ref_Key') === control);
  return honest ? undefined : { distrust: 'the list does not show an object that exists' };
}

async function contentControl(
  { odata, memory }: OnecWriter,
  kind: string,
  query: Query,
  delivery: Delivery,
): Promise<string | undefined> {
  const refs = await memory.controls(kind, controlsBefore([delivery]));
  if (refs.length === 0) return undefined;
  const rows = await odata.byRefs(createOf(delivery).set, refs);
  return [...rows].find(([, row]) => query.shows(row))?.[0];
}

function queryFor(writer: OnecWriter, delivery: Delivery): Query | undefined {
  const payload = createOf(delivery);
  const body = filledBody(payload, (key) => idOf(delivery, key));
  const { counterparty, item, work, contract } = writer.mapping.catalogs;
  switch (payload.find.by) {
    case 'contact':
      return contactQuery(payload.set, body, counterparty);
    case 'article':
      return textQuery(payload.set, body, item.article, item.maker);
    case 'work':
      return textQuery(payload.set, body, work.article, undefined);
    case 'owner':
      return ownerQuery(payload.set, body, contract?.owner);
    case 'marker':
      return undefined;
  }
}

/** Phones and e-mails as they were sent stand in a set of their own, one row each. */
function contactQuery(
  set: string,
  body: OnecEntity,
  names: {
    contacts: string | undefined;
    contactPhone: string | undefined;
    contactEmail: string | undefined;
    contactText: string;
  },
): Query | undefined {
  const { contacts, contactPhone, contactEmail, contactText } = names;
  const columns = [contactPhone, contactEmail, contactText].filter((name) => name !== undefined);
  const values = rowsOf(body, contacts).flatMap((row) => {
    const column = columns.find((name) => textOf(row, name) !== '');
    return column === undefined ? [] : [{ column, value: textOf(row, column) }];
  });
  if (contacts === undefined || values.length === 0) return undefined;
  return {
    set: `${set}_${contacts}`,
    columns,
    terms: values.map(({ column, value }) => `${column} eq ${textLiteral(value)}`),
    fits: (row) => values.some(({ column, value }) => textOf(row, column) === value),
    shows: (entity) => rowsOf(entity, contacts).length > 0,
  };
}

function textQuery(set: string, body: OnecEntity, article: string | undefined, maker: string | undefined): Query {
  const column = article !== undefined && textOf(body, article) !== '' ? article : 'Description';
  const value = textOf(body, column);
  return {
    set,
    columns: [column, ...(maker === undefined ? [] : [maker])],
    terms: [`${column} eq ${textLiteral(value)}`],
    fits: (row) => textOf(row, column) === value && refOf(row, maker) === refOf(body, maker),
    shows: () => true,
  };
}

function ownerQuery(set: string, body: OnecEntity, column: string | undefined): Query | undefined {
  const owner = refOf(body, column);
  if (column === undefined || owner === undefined) return undefined;
  return {
    set,
    columns: [column],
    terms: [`${column} eq ${guid(owner)}`],
    fits: (row) => refOf(row, column) === owner,
    shows: () => true,
  };
}
