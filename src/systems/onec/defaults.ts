import type { OnecLocator } from '../../config/mapping-onec-types.ts';
import type { OnecEntity } from './api.ts';
import { cachedWhileFine, DAY_MS, isRefusal, type ReaderContext } from './context.ts';
import { fold, textLiteral } from './filters.ts';
import { flagOf, refOf, textOf } from './schema.ts';

export interface Resolved {
  refs: ReadonlyMap<string, string>;
  faults: readonly string[];
}

interface Wanted {
  /** Key in the answer. */
  key: string;
  /** Place in the mapping. */
  path: string;
  locator: OnecLocator;
}

/**
 * References that the mapping names by code, name or predefined name: roles of `defaults` by their own names, `operation.<document>`,
 * `phoneKind`, `emailKind`, and `organization:<name>`, `department:<name>` of the table of stages (names in lower case). Kept for a
 * day while nothing is wrong with them.
 */
export function resolveDefaults(context: ReaderContext): Promise<Resolved> {
  return context.once('defaults', async () => {
    const key = `onec:defaults:${context.hash}`;
    const { refs, faults } = await cachedWhileFine(context.cache, key, DAY_MS, () => resolveAll(context));
    return { refs: new Map(refs), faults };
  });
}

function wantedOf({ mapping }: ReaderContext): Wanted[] {
  const { defaults, operations, catalogs, statuses } = mapping;
  const wanted: Wanted[] = [];
  const add = (key: string, path: string, locator: OnecLocator | undefined) => {
    if (locator !== undefined && !wanted.some((one) => one.key === key)) wanted.push({ key, path, locator });
  };
  for (const [role, locator] of Object.entries(defaults)) add(role, `onec.defaults.${role}`, locator);
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

async function resolveAll(context: ReaderContext): Promise<{ refs: [string, string][]; faults: string[] }> {
  const refs: [string, string][] = [];
  const faults: string[] = [];
  for (const { key, path, locator } of wantedOf(context)) {
    const answer = await locate(context, locator);
    if ('ref' in answer) refs.push([key, answer.ref]);
    else faults.push(`${path}: ${answer.fault}`);
  }
  return { refs, faults };
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
    if (!isRefusal(error)) throw error;
    return { fault: error.message };
  }
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
