import type { Json } from '../../base/schema.ts';
import type { OnecLocal, OnecMarks } from '../../domain/onec.ts';
import { castRef, guid, type OnecEntity, type OnecProperty, type OnecPropertyName } from './api.ts';
import { collect, type ReaderContext, unlessRefused } from './context.ts';
import { BATCH, chunks, dateLiteral } from './filters.ts';
import { OBJECT, type OnecProperties, PROPERTY, refsOfProperty, VALUE } from './properties.ts';
import { dateFromJson, flagOf, idFromJson, refOf, textOf, typeOf } from './schema.ts';

interface MarkRecord {
  set: string;
  ref: string;
  property: string;
  value: Json;
}

const COLUMNS = [OBJECT, `${OBJECT}_Type`, PROPERTY, VALUE, `${VALUE}_Type`];
const PAGE = 1000;
const ID_NAMES: readonly OnecPropertyName[] = ['lead', 'client', 'item'];

function recordFrom(row: OnecEntity): MarkRecord[] {
  const [ref, property] = [refOf(row, OBJECT), refOf(row, PROPERTY)];
  if (ref === undefined || property === undefined) return [];
  return [{ set: typeOf(row, OBJECT), ref, property, value: row[VALUE] ?? null }];
}

/** Additional information of objects: ids of amoCRM and dates of exchange. */
export function markReader(context: ReaderContext, properties: () => Promise<OnecProperties>) {
  const whole = (name: OnecPropertyName) => wholeProperty(context, properties, name);
  const distrusted = new Set<string>();

  /** Records of these objects by a filter that is known to tell the truth; undefined where that cannot be had. */
  async function filtered(set: string, refs: readonly string[]): Promise<MarkRecord[] | undefined> {
    const control = distrusted.has(set) ? undefined : await controlOf(context, set);
    if (control === undefined) return undefined;
    const records: MarkRecord[] = [];
    for (const some of chunks(refs, BATCH - 1)) {
      const filter = [...new Set([...some, control])].map((ref) => `${OBJECT} eq ${castRef(ref, set)}`).join(' or ');
      const rows = await unlessRefused(
        context.odata.list(context.mapping.properties.register, { filter, select: COLUMNS }),
      );
      const answer = rows?.flatMap(recordFrom) ?? [];
      if (!answer.some((record) => record.ref === control && record.set === set)) {
        distrusted.add(set);
        return undefined;
      }
      records.push(...answer);
    }
    return records;
  }

  async function marks(set: string, refs: readonly string[]): Promise<Map<string, OnecMarks>> {
    const { found } = await properties();
    const names = namesFor(context, set).filter((name) => found.has(name));
    if (refs.length === 0 || names.length === 0) return new Map();
    let records = await filtered(set, [...new Set(refs)]);
    if (records === undefined) {
      records = [];
      for (const name of names) records.push(...(await whole(name)));
      await rememberControl(context, set, records);
    }
    const own = new Map([...found].filter(([name]) => names.includes(name)));
    return marksFrom(records, set, new Set(refs), own);
  }

  return {
    marks,
    byAmoId: async (property: 'lead' | 'client' | 'item', ids: readonly number[]) =>
      ids.length === 0 ? new Map() : objectsByAmoId(context, property, ids, await whole(property)),
    /** When objects were last written, by the extension's property: those written in the window. */
    writtenBetween: async (from: OnecLocal, to: OnecLocal) => {
      const property = (await properties()).found.get('writtenAt');
      if (property === undefined) return new Map<string, { set: string; at: OnecLocal }>();
      const refs = refsOfProperty(property);
      const records = (await castWindow(context, property, from, to)) ?? (await whole('writtenAt'));
      const written = new Map<string, { set: string; at: OnecLocal }>();
      for (const { set, ref, value, property: own } of records) {
        const at = dateFromJson(value);
        if (refs.includes(own) && at !== undefined && at >= from && at < to) written.set(ref, { set, at });
      }
      return written;
    },
  };
}

export type MarkReader = ReturnType<typeof markReader>;

function namesFor({ mapping: { catalogs, changes } }: ReaderContext, set: string): OnecPropertyName[] {
  if (set === catalogs.counterparty.set) return ['client'];
  if (set === catalogs.item.set || set === catalogs.work.set) return ['item'];
  // Where the strategy leaves the extension's date out, nothing is decided by it.
  return [
    'lead',
    'exportedAt',
    'updatedAt',
    ...(changes.strategy.includes('property') ? (['writtenAt'] as const) : []),
  ];
}

/** `found`: the properties that objects of this set have; an id under another one is none of its own. */
function marksFrom(
  records: readonly MarkRecord[],
  set: string,
  refs: ReadonlySet<string>,
  found: ReadonlyMap<OnecPropertyName, OnecProperty>,
): Map<string, OnecMarks> {
  const names = new Map(
    [...found].flatMap(([name, property]) => refsOfProperty(property).map((ref) => [ref, name] as const)),
  );
  const marks = new Map<string, OnecMarks>();
  for (const record of records) {
    const name = names.get(record.property);
    if (record.set !== set || !refs.has(record.ref) || name === undefined) continue;
    const held = marks.get(record.ref) ?? {};
    if (ID_NAMES.includes(name)) {
      const amoId = idFromJson(record.value);
      if (amoId !== undefined) held.amoId = amoId;
    } else {
      const date = name as 'exportedAt' | 'updatedAt' | 'writtenAt';
      const at = dateFromJson(record.value);
      // Where two properties of one name hold dates of the same object, the later one is the truth.
      if (at !== undefined && at > (held[date] ?? '')) held[date] = at;
    }
    marks.set(record.ref, held);
  }
  return marks;
}

const controlKey = (context: ReaderContext, set: string) => `onec:control:${context.hash}:${set}`;

/** What was last seen in the whole register goes before what we have written: somebody may have removed that. */
async function controlOf(context: ReaderContext, set: string): Promise<string | undefined> {
  return (await context.cache.fact(controlKey(context, set))) ?? (await context.cache.knownMark(set));
}

async function rememberControl(context: ReaderContext, set: string, records: readonly MarkRecord[]): Promise<void> {
  const known = records.filter((record) => record.set === set);
  const kept = await context.cache.fact(controlKey(context, set));
  const [first] = known;
  if (first === undefined || known.some((record) => record.ref === kept)) return;
  await context.cache.setFact(controlKey(context, set), first.ref);
}

const named = (property: OnecProperty): string =>
  refsOfProperty(property)
    .map((ref) => `${PROPERTY} eq ${guid(ref)}`)
    .join(' or ');

/** Every record of one property. `Свойство_Key` is a reference of one type, so that this filter needs no cast and cannot lie. */
function wholeProperty(
  context: ReaderContext,
  properties: () => Promise<OnecProperties>,
  name: OnecPropertyName,
): Promise<MarkRecord[]> {
  return context.once(`register:${name}`, async () => {
    const property = (await properties()).found.get(name);
    if (property === undefined) return [];
    const { register } = context.mapping.properties;
    const query = { filter: named(property), select: COLUMNS, orderby: OBJECT, pageSize: PAGE };
    const rows = await collect(context.odata.pages(register, query));
    return rows.flatMap(recordFrom).filter((record) => refsOfProperty(property).includes(record.property));
  });
}

/**
 * Records whose date lies in the window, where 1C compares values by `cast`. Whether it does is asked once: an empty answer only
 * counts after a value that is known to stand there was found in the same way. Undefined where it does not.
 */
async function castWindow(
  context: ReaderContext,
  property: OnecProperty,
  from: OnecLocal,
  to: OnecLocal,
): Promise<MarkRecord[] | undefined> {
  const { odata, cache, mapping } = context;
  const key = `onec:cast-date:${context.hash}`;
  const verdict = await cache.fact(key);
  if (verdict === 'no') return undefined;
  const between = async (first: OnecLocal, operator: 'lt' | 'le', last: OnecLocal) => {
    const cast = `cast(${VALUE},'Date')`;
    const filter = `(${named(property)}) and ${cast} ge ${dateLiteral(first)} and ${cast} ${operator} ${dateLiteral(last)}`;
    const pages = odata.pages(mapping.properties.register, {
      filter,
      select: COLUMNS,
      orderby: OBJECT,
      pageSize: PAGE,
    });
    return (await unlessRefused(collect(pages)))?.flatMap(recordFrom);
  };
  const records = await between(from, 'lt', to);
  if (records !== undefined && verdict === 'yes') return records;
  let honest = records !== undefined && records.length > 0;
  if (records !== undefined && !honest) {
    const [sample] = await odata.list(mapping.properties.register, {
      filter: named(property),
      select: COLUMNS,
      top: 1,
    });
    const at = dateFromJson(sample?.[VALUE]);
    if (sample === undefined || at === undefined) return sample === undefined ? [] : undefined;
    honest = ((await between(at, 'le', at)) ?? []).some((record) => record.ref === refOf(sample, OBJECT));
  }
  await cache.setFact(key, honest ? 'yes' : 'no');
  return honest ? records : undefined;
}

async function objectsByAmoId(
  context: ReaderContext,
  property: 'lead' | 'client' | 'item',
  ids: readonly number[],
  records: readonly MarkRecord[],
): Promise<Map<number, { set: string; ref: string }[]>> {
  const wanted = new Set(ids);
  const hits = records.flatMap((record) => {
    const id = idFromJson(record.value);
    return id !== undefined && wanted.has(id) ? [{ id, set: record.set, ref: record.ref }] : [];
  });
  const rows = new Map<string, OnecEntity>();
  for (const set of new Set(hits.map((hit) => hit.set))) {
    const refs = hits.filter((hit) => hit.set === set).map((hit) => hit.ref);
    const age = set.startsWith('Document_') ? 'Date' : 'Code';
    const answer = context.odata.byRefs(set, refs, ['Ref_Key', 'DeletionMark', age]);
    // A set that the mapping does not name may be unpublished; its objects are none of ours.
    for (const [ref, row] of (await (isOurs(context, set) ? answer : unlessRefused(answer))) ?? []) rows.set(ref, row);
  }
  const found = new Map<number, { set: string; ref: string }[]>();
  const usable = hits.filter(({ ref }) => {
    const row = rows.get(ref);
    // A record may outlive its object. A marked document still stands for its deal: made again, it would come back for ever.
    return row !== undefined && (property === 'lead' || !flagOf(row, 'DeletionMark'));
  });
  usable.sort(
    (a, b) => rank(rows.get(a.ref)).localeCompare(rank(rows.get(b.ref)), 'en') || a.ref.localeCompare(b.ref, 'en'),
  );
  for (const { id, set, ref } of usable) {
    const same = found.get(id) ?? [];
    if (!same.some((one) => one.ref === ref)) found.set(id, [...same, { set, ref }]);
  }
  return found;
}

function isOurs({ mapping: { documents, catalogs } }: ReaderContext, set: string): boolean {
  const sets = [catalogs.counterparty.set, catalogs.item.set, catalogs.work.set];
  return sets.includes(set) || Object.values(documents).some((document) => document?.set === set);
}

/** Not marked first, then by code, which grows with age; documents by date. */
function rank(row: OnecEntity | undefined): string {
  if (row === undefined) return '9';
  return `${flagOf(row, 'DeletionMark') ? 1 : 0}${textOf(row, 'Code')}${textOf(row, 'Date')}`;
}
