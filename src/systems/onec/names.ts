import type { OnecDocKey, OnecDocumentMapping, OnecMapping, OnecTable } from '../../config/mapping-onec-types.ts';
import type { OnecMetadata } from './api.ts';
import { DAY_MS, type ReaderContext } from './context.ts';

export interface NamesCheck {
  essential: readonly string[];
  missing: readonly string[];
}

/** The hash of 1C's metadata when it was last read: another one means another configuration. */
export const METADATA_FACT = 'onec_metadata_hash';

/**
 * Every name of the mapping against $metadata, which weighs megabytes: read once a week, and again when it is asked for fresh or
 * something essential was missing. Entries are `path: what is not there`. What the operator named is essential; of the preset's names
 * those of the chain's own documents never are, since an export does without them: where one cannot be used at all, the path is that of the whole document.
 */
export async function checkNames(context: ReaderContext, fresh: boolean): Promise<NamesCheck> {
  const key = `onec:names:${context.hash}`;
  const load = async () => {
    const metadata = await context.odata.metadata();
    await context.cache.setFact(METADATA_FACT, metadata.hash);
    return namesAgainst(context.mapping, metadata);
  };
  const known = await context.cache.cached(key, fresh ? 0 : 7 * DAY_MS, load);
  return known.essential.length === 0 || fresh ? known : context.cache.cached(key, 0, load);
}

class Findings {
  readonly essential: string[] = [];
  readonly missing: string[] = [];
  readonly #metadata: OnecMetadata;
  readonly #mapping: OnecMapping;

  constructor(metadata: OnecMetadata, mapping: OnecMapping) {
    this.#metadata = metadata;
    this.#mapping = mapping;
  }

  /** Whether the set is there; says so where it is not. */
  set(path: string, set: string, essential: boolean): boolean {
    if (this.#metadata.sets.has(set)) return true;
    this.add(path, `1C does not publish ${set}`, essential);
    return false;
  }

  property(path: string, set: string, name: string | undefined, essential = false): void {
    if (name === undefined || this.#metadata.sets.get(set)?.has(name) !== false) return;
    this.add(path, `${set} has no ${name}`, essential);
  }

  add(path: string, what: string, essential: boolean): void {
    const fault = `${path}: ${what}`;
    (essential || isNamed(this.#mapping, fault) ? this.essential : this.missing).push(fault);
  }
}

/** Whether a fault is about a name that the operator gave: nobody can do without what was asked for by name. */
export function isNamed({ named = [] }: Pick<OnecMapping, 'named'>, fault: string): boolean {
  const path = pathOf(fault);
  return named.some((one) => one === path || one.startsWith(`${path}.`));
}

const STANDS_FOR_DEAL: readonly OnecDocKey[] = ['workOrder', 'customerOrder'];
const ESSENTIAL_FIELDS = ['number', 'date', 'posted', 'counterparty'] as const;
const FIELDS = [
  'comment',
  'amount',
  'reason',
  'recommendations',
  'recommendedParts',
  'car',
  'carId',
  'phone',
  'email',
  'customer',
  'contract',
  'organization',
  'department',
  'warehouse',
  'priceType',
  'workPriceType',
  'repairKind',
  'workshop',
  'operation',
  'currency',
  'author',
  'manager',
  'due',
  'chain',
] as const;

/** Pure. */
export function namesAgainst(mapping: OnecMapping, metadata: OnecMetadata): NamesCheck {
  const findings = new Findings(metadata, mapping);
  for (const [type, names] of Object.entries(mapping.documents)) {
    if (names !== undefined) checkDocument(findings, type as OnecDocKey, names);
  }
  const deals = STANDS_FOR_DEAL.flatMap((type) => mapping.documents[type] ?? []);
  for (const { set } of deals) {
    findings.property('onec.changes.field', set, mapping.changes.field);
    findings.property('onec.changes.created', set, mapping.changes.created);
  }
  checkCatalogs(findings, mapping);
  findings.set('onec.properties.register', mapping.properties.register, true);
  findings.set('onec.properties.chart', mapping.properties.chart, true);
  return { essential: [...new Set(findings.essential)], missing: onePerPath(findings.missing) };
}

/** A path is dropped once, whatever number of sets lack its name. */
function onePerPath(faults: readonly string[]): string[] {
  return faults.filter((fault, index) => faults.findIndex((one) => pathOf(one) === pathOf(fault)) === index);
}

function checkDocument(findings: Findings, type: OnecDocKey, names: OnecDocumentMapping): void {
  const path = `onec.documents.${type}`;
  const { set } = names;
  const forDeal = STANDS_FOR_DEAL.includes(type);
  if (!findings.set(forDeal ? `${path}.set` : path, set, forDeal)) return;
  // A document of the chain that lacks the least cannot be used, and goes as a whole.
  for (const field of ESSENTIAL_FIELDS) {
    findings.property(
      forDeal ? `${path}.${field}` : field === 'counterparty' ? `${path}.${field}` : path,
      set,
      names[field],
      forDeal,
    );
  }
  for (const field of FIELDS) findings.property(`${path}.${field}`, set, names[field]);
  findings.property(`${path}.base`, set, names.base?.field);
  for (const part of ['goods', 'works'] as const) {
    const table = names[part];
    if (table !== undefined) checkTable(findings, `${path}.${part}`, set, table, forDeal);
  }
  const { state } = names;
  if (state?.kind === 'field') findings.property(`${path}.state`, set, state.field, forDeal);
  else if (state !== undefined && findings.set(`${path}.state`, state.set, forDeal)) {
    findings.property(`${path}.state`, state.set, state.object, forDeal);
    findings.property(`${path}.state`, state.set, state.value, forDeal);
  }
  const isCatalog = state !== undefined && (state.kind === 'register' || state.field.endsWith('_Key'));
  if (isCatalog) findings.set(`${path}.state`, state.catalog, forDeal);
}

function checkTable(findings: Findings, path: string, set: string, table: OnecTable, essential: boolean): void {
  const rows = `${set}_${table.table}`;
  if (!findings.set(path, rows, essential)) return;
  for (const column of ['item', 'qty', 'price'] as const) {
    findings.property(essential ? `${path}.${column}` : path, rows, table[column], essential);
  }
  for (const column of ['sum', 'total', 'unit', 'factor', 'vat', 'vatSum', 'id'] as const) {
    findings.property(`${path}.${column}`, rows, table[column]);
  }
}

function checkCatalogs(findings: Findings, { catalogs }: OnecMapping): void {
  const { counterparty, item, work } = catalogs;
  const path = 'onec.catalogs';
  if (findings.set(`${path}.counterparty.set`, counterparty.set, true)) {
    for (const field of ['legalForm', 'fullName', 'firstName', 'lastName'] as const) {
      findings.property(`${path}.counterparty.${field}`, counterparty.set, counterparty[field]);
    }
  }
  const rows = counterparty.contacts === undefined ? undefined : `${counterparty.set}_${counterparty.contacts}`;
  if (rows !== undefined && findings.set(`${path}.counterparty.contacts`, rows, false)) {
    findings.property(`${path}.counterparty.contacts`, rows, counterparty.contactType);
    findings.property(`${path}.counterparty.contacts`, rows, counterparty.contactText);
    for (const field of ['contactKind', 'contactPhone', 'contactEmail'] as const) {
      findings.property(`${path}.counterparty.${field}`, rows, counterparty[field]);
    }
  }
  const { persons } = counterparty;
  if (persons !== undefined && findings.set(`${path}.counterparty.persons`, persons.set, false)) {
    findings.property(`${path}.counterparty.persons`, persons.set, persons.owner);
    findings.property(`${path}.counterparty.persons`, persons.set, persons.person);
  }
  if (findings.set(`${path}.item.set`, item.set, true)) {
    for (const field of ['article', 'searchArticle', 'maker', 'unit', 'lineUnit', 'fullName', 'type', 'vat'] as const) {
      findings.property(`${path}.item.${field}`, item.set, item[field]);
    }
  }
  checkOthers(findings, path, catalogs, work);
}

function checkOthers(
  findings: Findings,
  path: string,
  catalogs: OnecMapping['catalogs'],
  work: OnecMapping['catalogs']['work'],
): void {
  if (findings.set(`${path}.work.set`, work.set, false)) {
    for (const field of ['article', 'fullName', 'item', 'type'] as const) {
      findings.property(`${path}.work.${field}`, work.set, work[field]);
    }
  }
  for (const name of ['maker', 'unit', 'manager', 'car'] as const) {
    const catalog = catalogs[name];
    if (catalog !== undefined) findings.set(`${path}.${name}`, catalog.set, false);
  }
  for (const name of ['organization', 'department', 'user'] as const) {
    findings.set(`${path}.${name}.set`, catalogs[name].set, false);
  }
  const { contract } = catalogs;
  if (contract === undefined || !findings.set(`${path}.contract`, contract.set, false)) return;
  findings.property(`${path}.contract`, contract.set, contract.owner);
  for (const field of ['organization', 'department', 'currency'] as const) {
    findings.property(`${path}.contract.${field}`, contract.set, contract[field]);
  }
}

const pathOf = (fault: string): string => fault.slice(0, fault.indexOf(':'));

type Tree = { readonly [key: string]: unknown };

/**
 * The mapping without the names that 1C does not have, so that they are neither read nor written; takes `missing` of the check, and
 * `onec.documents.<type>.set` of `essential`, which leaves out the whole document. Pure.
 */
export function withoutMissing(mapping: OnecMapping, missing: readonly string[]): OnecMapping {
  let left: Tree = mapping as unknown as Tree;
  for (const fault of missing) {
    const path = pathOf(fault)
      .replace(/^onec\./, '')
      .replace(/^(documents\.\w+)\.set$/, '$1')
      .split('.');
    // A set that must have a name keeps it: who reads it without need finds nothing there.
    if (path.at(-1) !== 'set') left = without(left, path);
  }
  return left as unknown as OnecMapping;
}

function without(tree: Tree, path: readonly string[]): Tree {
  const [name = '', ...rest] = path;
  if (rest.length === 0) return { ...tree, [name]: undefined };
  const inner = tree[name];
  return typeof inner === 'object' && inner !== null ? { ...tree, [name]: without(inner as Tree, rest) } : tree;
}
