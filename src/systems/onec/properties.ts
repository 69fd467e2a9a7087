import type { Json } from '../../base/schema.ts';
import type { OnecMapping } from '../../config/mapping-onec-types.ts';
import type { OnecEntity, OnecProperty, OnecPropertyName } from './api.ts';
import { guid } from './api.ts';
import { cachedWhileFine, collect, DAY_MS, type ReaderContext, unlessRefused } from './context.ts';
import { fold } from './filters.ts';
import { flagOf, refFromText, refOf, textOf } from './schema.ts';

/** Names that the standard subsystem library gives in every configuration (seen in Alfa-Auto 6.1). */
const SETS_CATALOG = 'Catalog_НаборыДополнительныхРеквизитовИСведений';
export const OBJECT = 'Объект';
export const PROPERTY = 'Свойство_Key';
export const VALUE = 'Значение';

export interface OnecProperties {
  found: ReadonlyMap<OnecPropertyName, OnecProperty>;
  faults: readonly string[];
}

const NAMES = ['lead', 'client', 'item', 'exportedAt', 'updatedAt', 'writtenAt'] as const;
/** A base may do without these: no import into it, no extension that keeps the time of writing. */
const OPTIONAL: readonly OnecPropertyName[] = ['updatedAt', 'writtenAt'];

/** The properties of additional information that the mapping names; read once a day while nothing is wrong with them. */
export function propertyReader(context: ReaderContext): () => Promise<OnecProperties> {
  return () =>
    context.once('properties', async () => {
      const key = `onec:properties:${context.hash}`;
      const { found, faults } = await cachedWhileFine(context.cache, key, DAY_MS, () => readProperties(context));
      return { found: new Map(found), faults };
    });
}

async function readProperties(
  context: ReaderContext,
): Promise<{ found: [OnecPropertyName, OnecProperty][]; faults: string[] }> {
  const { chart } = context.mapping.properties;
  // No $select: which of the describing properties there are differs between versions of the library.
  const rows = await collect(context.odata.pages(chart, { orderby: 'Description', pageSize: 200 }));
  const found: [OnecPropertyName, OnecProperty][] = [];
  const faults: string[] = [];
  for (const name of NAMES) {
    const named = context.mapping.properties[name];
    const fitting = candidates(rows, named);
    const best = fitting.length < 2 ? fitting : await ofTheRightSet(context, name, fitting);
    const [row] = best;
    const ref = row === undefined ? undefined : refOf(row, 'Ref_Key');
    if (best.length > 1) {
      const titles = best.map((one) => `"${textOf(one, 'Description')}" (${textOf(one, 'Ref_Key')})`);
      faults.push(
        `onec.properties.${name}: several properties fit "${named}": ${titles.join(', ')}; give the guid of one`,
      );
    } else if (row !== undefined && ref !== undefined) {
      found.push([name, { ref, type: await typeOfValues(context, name, ref, row) }]);
    } else if (!OPTIONAL.includes(name)) {
      faults.push(`onec.properties.${name}: no additional information "${named}" in ${chart}`);
    }
  }
  return { found, faults };
}

/** By guid, else by Имя, else by Заголовок, else by Description without the set's name in brackets; marked ones left out. */
function candidates(rows: readonly OnecEntity[], named: string): OnecEntity[] {
  const ref = refFromText(named);
  if (ref !== undefined) return rows.filter((row) => refOf(row, 'Ref_Key') === ref);
  const usable = rows.filter((row) => !flagOf(row, 'DeletionMark') && !flagOf(row, 'IsFolder') && isInformation(row));
  const ways: ((row: OnecEntity) => string)[] = [
    (row) => textOf(row, 'Имя'),
    (row) => textOf(row, 'Заголовок'),
    (row) => textOf(row, 'Description'),
    (row) => textOf(row, 'Description').replace(/\s*\([^()]*\)\s*$/, ''),
  ];
  for (const way of ways) {
    const fitting = usable.filter((row) => fold(way(row)) === fold(named));
    if (fitting.length > 0) return fitting;
  }
  return [];
}

/** Attributes stand in a table part of the object and writing them is a write of the object; only information lives beside it. */
function isInformation(row: OnecEntity): boolean {
  return row.ЭтоДополнительноеСведение === undefined || flagOf(row, 'ЭтоДополнительноеСведение');
}

/** Of several properties those of the set that belongs to the object; ones whose set cannot be told come last. */
async function ofTheRightSet(
  context: ReaderContext,
  name: OnecPropertyName,
  rows: readonly OnecEntity[],
): Promise<OnecEntity[]> {
  const refs = rows.flatMap((row) => refOf(row, 'НаборСвойств_Key') ?? []);
  const sets = await unlessRefused(context.odata.byRefs(SETS_CATALOG, [...new Set(refs)]));
  const wanted = setsOf(context.mapping, name);
  const ranks = rows.map((row) => {
    const set = sets?.get(refOf(row, 'НаборСвойств_Key') ?? '');
    const called = set === undefined ? '' : textOf(set, 'PredefinedDataName');
    const at = wanted.findIndex((one) => called === one || called.startsWith(`${one}_`));
    return at < 0 ? wanted.length : at;
  });
  const least = Math.min(...ranks);
  return rows.filter((_row, index) => ranks[index] === least);
}

/** Predefined names of the sets of properties of an object, best first: `Document_X` has `Документ_X`. */
function setsOf(mapping: OnecMapping, name: OnecPropertyName): string[] {
  const { documents, catalogs } = mapping;
  const sets =
    name === 'client'
      ? [catalogs.counterparty.set]
      : name === 'item'
        ? [catalogs.item.set, catalogs.work.set]
        : [documents.workOrder?.set ?? '', documents.customerOrder?.set ?? ''];
  return sets
    .filter((set) => set !== '')
    .map((set) => set.replace(/^Document_/, 'Документ_').replace(/^Catalog_/, 'Справочник_'));
}

/** How values are written: dates as dates, ids as the mapping says, else as existing records show, else as the chart says. */
async function typeOfValues(
  context: ReaderContext,
  name: OnecPropertyName,
  ref: string,
  row: OnecEntity,
): Promise<OnecProperty['type']> {
  if (name === 'exportedAt' || name === 'updatedAt' || name === 'writtenAt') return 'Edm.DateTime';
  const { idType, register } = context.mapping.properties;
  if (idType !== 'auto') return idType === 'number' ? 'Edm.Double' : 'Edm.String';
  const query = { filter: `${PROPERTY} eq ${guid(ref)}`, select: [VALUE, `${VALUE}_Type`], top: 5 };
  for (const record of (await unlessRefused(context.odata.list(register, query))) ?? []) {
    const type = textOf(record, `${VALUE}_Type`);
    if (type === 'Edm.String') return 'Edm.String';
    if (/^Edm\.(Double|Decimal|Int\d\d)$/.test(type)) return 'Edm.Double';
  }
  // On the screens of Alfa-Auto amolead stands with blanks between thousands, as numbers do, and the others without.
  return typeOfChart(row.ValueType) ?? (name === 'lead' ? 'Edm.Double' : 'Edm.String');
}

function typeOfChart(type: Json | undefined): 'Edm.Double' | 'Edm.String' | undefined {
  const types = typeof type === 'object' && type !== null && !Array.isArray(type) ? type.Types : type;
  const text = JSON.stringify(types ?? '');
  const [number, string] = [/Double|Decimal|Number|Число/i.test(text), /String|Строка/i.test(text)];
  if (number === string) return undefined;
  return number ? 'Edm.Double' : 'Edm.String';
}
