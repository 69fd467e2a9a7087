import type { Json } from '../../base/schema.ts';
import type { OnecMapping } from '../../config/mapping-onec-types.ts';
import type { OnecEntity, OnecProperty, OnecPropertyName } from './api.ts';
import { guid } from './api.ts';
import { cachedWhileFine, collect, DAY_MS, type ReaderContext, unlessRefused } from './context.ts';
import { fold } from './filters.ts';
import { isNamed } from './names.ts';
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
    const choice = await chosen(context, name, candidates(rows, named));
    if (choice.doubled.length > 0) {
      const titles = choice.doubled.map((one) => `"${textOf(one, 'Description')}" (${textOf(one, 'Ref_Key')})`);
      faults.push(
        `onec.properties.${name}: several properties fit "${named}": ${titles.join(', ')}; give the guid of one`,
      );
    } else if (choice.row !== undefined) {
      const ref = textOf(choice.row, 'Ref_Key').toLowerCase();
      const type = await typeOfValues(context, name, ref, choice.row);
      found.push([name, { ref, type, ...(Object.keys(choice.own).length === 0 ? {} : { own: choice.own }) }]);
    } else {
      const fault = `onec.properties.${name}: no additional information "${named}" in ${chart}`;
      if (!OPTIONAL.includes(name) || isNamed(context.mapping, fault)) faults.push(fault);
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

interface Choice {
  row: OnecEntity | undefined;
  own: Record<string, string>;
  doubled: readonly OnecEntity[];
}

/**
 * A property may exist several times, once for a kind of objects each and once for all (seen in Alfa-Auto 6.1): each kind gets its
 * own, the rest the common one. Two of one kind cannot be told apart.
 */
async function chosen(context: ReaderContext, name: OnecPropertyName, rows: readonly OnecEntity[]): Promise<Choice> {
  if (rows.length < 2) return { row: rows[0], own: {}, doubled: [] };
  const refs = rows.flatMap((row) => refOf(row, 'НаборСвойств_Key') ?? []).sort();
  const sets = await context.once(`sets of properties:${refs.join()}`, () =>
    unlessRefused(context.odata.byRefs(SETS_CATALOG, [...new Set(refs)])),
  );
  const calledOf = (row: OnecEntity) =>
    textOf(sets?.get(refOf(row, 'НаборСвойств_Key') ?? '') ?? {}, 'PredefinedDataName');
  const own: Record<string, string> = {};
  const groups: OnecEntity[][] = [];
  const wanted = setsOf(context.mapping, name);
  for (const { set, called } of wanted) {
    const group = rows.filter((row) => calledOf(row) === called || calledOf(row).startsWith(`${called}_`));
    const [ref] = group.flatMap((row) => refOf(row, 'Ref_Key') ?? []);
    if (ref !== undefined) own[set] = ref;
    groups.push(group);
  }
  // Properties that belong to objects of no interest here are left out, unless there are no others.
  const common = rows.filter((row) => calledOf(row) === '');
  groups.unshift(common);
  if (groups.every((group) => group.length === 0)) groups.push([...rows]);
  return {
    row: groups.find((group) => group.length > 0)?.[0],
    own,
    doubled: groups.find((group) => group.length > 1) ?? [],
  };
}

/** Predefined names of the sets of properties: `Document_X` has `Документ_X` (seen in Alfa-Auto 6.1). */
function setsOf({ documents, catalogs }: OnecMapping, name: OnecPropertyName): { set: string; called: string }[] {
  const deals = [documents.workOrder?.set, documents.customerOrder?.set].filter((set) => set !== undefined);
  const items = [...new Set([catalogs.item.set, catalogs.work.set])];
  const sets = name === 'client' ? [catalogs.counterparty.set] : name === 'item' ? items : deals;
  return sets.map((set) => {
    return { set, called: set.replace(/^Document_/, 'Документ_').replace(/^Catalog_/, 'Справочник_') };
  });
}

/** Every reference under which values of a property may stand. */
export function refsOfProperty({ ref, own }: OnecProperty): string[] {
  return [...new Set([ref, ...Object.values(own ?? {})])];
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
