import type { RemoteError } from '../../base/remote-error.ts';
import type { OnecLocator, OnecRole } from '../../config/mapping-onec-types.ts';
import { onecPresets } from '../../config/onec-presets.ts';
import type { OnecEntity } from './api.ts';
import { cachedWhileFine, DAY_MS, isRefusal, type ReaderContext } from './context.ts';
import { odataCode } from './errors.ts';
import { fold, textLiteral } from './filters.ts';
import { flagOf, refOf, textOf } from './schema.ts';

export interface Resolved {
  refs: ReadonlyMap<string, string>;
  /** What the operator has named and 1C does not have. */
  faults: readonly string[];
  /** Roles that nobody has named, and for which this base has not just one thing either. */
  unsure: readonly string[];
}

interface Wanted {
  /** Key in the answer. */
  key: string;
  /** Place in the mapping. */
  path: string;
  /** Undefined: nobody has said it. */
  locator: OnecLocator | undefined;
  /** Nobody but the preset has said it: where it is not found, the only thing of its kind will do. */
  guessed?: { set: string };
}

/**
 * References that the mapping names by code, name or predefined name: roles of `defaults` by their own names, `operation.<document>`,
 * `phoneKind`, `emailKind`, and `organization:<name>`, `department:<name>` of the table of stages (names in lower case). Kept for a
 * day while nothing is wrong with them.
 */
export function resolveDefaults(context: ReaderContext): Promise<Resolved> {
  return context.once('defaults', async () => {
    const key = `onec:defaults:${context.hash}`;
    const { refs, faults, unsure } = await cachedWhileFine(context.cache, key, DAY_MS, () => resolveAll(context));
    return { refs: new Map(refs), faults, unsure };
  });
}

function wantedOf({ mapping }: ReaderContext): Wanted[] {
  const { defaults, operations, catalogs, statuses } = mapping;
  const wanted: Wanted[] = [];
  const add = (key: string, path: string, locator: OnecLocator | undefined) => {
    if (locator !== undefined && !wanted.some((one) => one.key === key)) wanted.push({ key, path, locator });
  };
  const { source, sets } = onecPresets[mapping.preset];
  const preset = (source.defaults ?? {}) as Record<string, unknown>;
  for (const [role, locator] of Object.entries(defaults)) {
    const set = locator?.set ?? sets[role as OnecRole];
    const isGuess = locator === undefined ? ONE_WILL_DO.has(role) : sameLocator(locator, preset[role]);
    const path = `onec.defaults.${role}`;
    if (isGuess && set !== undefined) wanted.push({ key: role, path, locator, guessed: { set } });
    else add(role, path, locator);
  }
  for (const [type, locator] of Object.entries(operations)) {
    add(`operation.${type}`, `onec.defaults.operation.${type}`, locator);
  }
  add('phoneKind', 'onec.catalogs.counterparty.phoneKind', catalogs.counterparty.phoneKind);
  add('emailKind', 'onec.catalogs.counterparty.emailKind', catalogs.counterparty.emailKind);
  for (const [index, row] of statuses.entries()) {
    for (const field of ['organization', 'department'] as const) {
      const name = row[field];
      if (name === null) continue;
      const path = `onec.statuses[${index}].${field}`;
      add(`${field}:${name.toLowerCase()}`, path, { set: catalogs[field].set, description: name });
    }
  }
  return wanted;
}

/** Roles that a base often has just one of. Folders and kinds of goods are another matter: there nothing is better than any. */
const ONE_WILL_DO: ReadonlySet<string> = new Set([
  'organization',
  'department',
  'warehouse',
  'priceType',
  'workPriceType',
  'repairKind',
  'workshop',
  'currency',
  'author',
  'unit',
]);

function sameLocator(locator: OnecLocator, preset: unknown): boolean {
  const text = (value: object) => JSON.stringify(Object.entries(value).sort());
  return typeof preset === 'object' && preset !== null && text(locator) === text(preset);
}

async function resolveAll(context: ReaderContext) {
  const refs: [string, string][] = [];
  const faults: string[] = [];
  const unsure: string[] = [];
  for (const { key, path, locator, guessed } of wantedOf(context)) {
    const answer = locator === undefined ? { fault: 'not named' } : await locate(context, locator);
    if ('ref' in answer) refs.push([key, answer.ref]);
    else if (guessed === undefined) faults.push(`${path}: ${answer.fault}`);
    else {
      const ref = await likely(context, key, guessed.set);
      if (ref === undefined) unsure.push(`${path}: ${answer.fault}`);
      else refs.push([key, ref]);
    }
  }
  return { refs, faults, unsure };
}

/** The only thing of its kind; of users, the one as whom we work; of units, that of most items; of works' items, that of most works. */
async function likely(context: ReaderContext, role: string, set: string): Promise<string | undefined> {
  const { odata, login, mapping } = context;
  const { item, work } = mapping.catalogs;
  try {
    if (role === 'unit') return await usual(context, item.set, item.unit);
    if (role === 'workItem') return await usual(context, work.set, work.item);
    const rows = await odata.list(set, { top: LIKELY_ROWS });
    const usable = rows.filter((row) => !flagOf(row, 'DeletionMark') && !flagOf(row, 'IsFolder'));
    const own = role === 'author' && login !== undefined ? usable.filter((row) => isNamed(row, login)) : [];
    const [only, ...others] = own.length > 0 ? own : rows.length < LIKELY_ROWS ? usable : [];
    return only === undefined || others.length > 0 ? undefined : refOf(only, 'Ref_Key');
  } catch (error) {
    if (!isLasting(error)) throw error;
    return undefined;
  }
}

/** What most of a catalog's first rows hold in a property. */
async function usual({ odata }: ReaderContext, set: string, property: string | undefined): Promise<string | undefined> {
  if (property === undefined) return undefined;
  const counts = new Map<string, number>();
  for (const row of await odata.list(set, { select: ['Ref_Key', property], top: LIKELY_ROWS })) {
    const ref = refOf(row, property);
    if (ref !== undefined) counts.set(ref, (counts.get(ref) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}

const LIKELY_ROWS = 500;

function isNamed(row: OnecEntity, name: string): boolean {
  return fold(textOf(row, 'Description')) === fold(name);
}

async function locate(context: ReaderContext, locator: OnecLocator): Promise<{ ref: string } | { fault: string }> {
  const said = sayingOf(locator);
  try {
    const rows = await rowsOf(context, locator);
    const usable = rows.filter((row) => !flagOf(row, 'DeletionMark'));
    const [ref] = usable.flatMap((row) => refOf(row, 'Ref_Key') ?? []);
    if (usable.length > 1) return { fault: `${usable.length} of ${locator.set} with ${said}; give the guid of one` };
    return ref === undefined ? { fault: `no ${locator.set} with ${said}` } : { ref };
  } catch (error) {
    if (!isLasting(error)) throw error;
    return { fault: error.message };
  }
}

/** Not published, not for our user, no such property: that stays so. What fails inside 1C (-1) may pass, and is not to be kept. */
function isLasting(error: unknown): error is RemoteError {
  return isRefusal(error) && odataCode(error) !== '-1';
}

function sayingOf(locator: OnecLocator): string {
  if ('guid' in locator) return `guid ${locator.guid}`;
  if ('code' in locator) return `code "${locator.code}"`;
  return 'description' in locator ? `name "${locator.description}"` : `predefined name "${locator.predefined}"`;
}

/** Rows that 1C finds, checked here once more. */
async function rowsOf({ odata }: ReaderContext, locator: OnecLocator): Promise<OnecEntity[]> {
  const { set } = locator;
  if ('guid' in locator) return [...(await odata.byRefs(set, [locator.guid.toLowerCase()])).values()];
  if ('predefined' in locator) {
    const rows = await odata.list(set, { filter: `PredefinedDataName eq ${textLiteral(locator.predefined)}` });
    return rows.filter((row) => textOf(row, 'PredefinedDataName') === locator.predefined);
  }
  if ('description' in locator) {
    const rows = await odata.list(set, { filter: `Description eq ${textLiteral(locator.description.trim())}` });
    return rows.filter((row) => fold(textOf(row, 'Description')) === fold(locator.description));
  }
  const code = locator.code.trim();
  const same = (row: OnecEntity) => textOf(row, 'Code') === code;
  const exact = (await odata.list(set, { filter: `Code eq ${textLiteral(code)}` })).filter(same);
  if (exact.length > 0) return exact;
  // Codes of fixed length are filled with blanks, which some bases compare and some do not.
  return (await odata.list(set, { filter: `startswith(Code,${textLiteral(code)})` })).filter(same);
}
