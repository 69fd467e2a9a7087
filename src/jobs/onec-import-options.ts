import { configError } from '../base/errors.ts';
import type { OnecDocKey, OnecDocumentMapping, OnecRole } from '../config/mapping-onec-types.ts';
import { foldName } from '../domain/onec-text.ts';
import type { OnecReader } from '../systems/onec/api.ts';
import { toLocal } from '../systems/onec/time.ts';
import type { ImportOptions, ImportRefs } from './onec-import-deal.ts';
import { type OnecJobContext, usableOnec } from './onec-reading.ts';

/** 1C as planning needs it. */
export interface OpenedOnec {
  reader: OnecReader;
  options: ImportOptions;
  /** What the mapping names and 1C does not have, each beginning with its place in the mapping. */
  faults: readonly string[];
}

/** Kinds of documents that a deal may become, and what 1C must know of a deal for either. */
const NEEDS = { kinds: ['workOrder', 'customerOrder'], properties: ['lead', 'client', 'item', 'exportedAt'] } as const;

export async function openOnec(context: OnecJobContext): Promise<OpenedOnec> {
  const { clients, settings, log, now } = context;
  const { reader, mapping } = await usableOnec(clients.onec, NEEDS, log);
  const { refs, faults } = await reader.resolveDefaults();
  const zone = mapping.server.timeZone ?? settings.ONEC_TIMEZONE ?? settings.TIMEZONE;
  const options: ImportOptions = {
    mapping,
    refs: importRefs(refs),
    states: await reader.statesByName(),
    localNow: toLocal(now, zone),
    zone,
    catalogId: settings.AMO_CATALOG_ID,
  };
  return { reader, options, faults };
}

const ORGANIZATION = 'organization:';
const DEPARTMENT = 'department:';
const OPERATION = 'operation.';

/** Sorts what the reader has resolved by what it is for. */
export function importRefs(refs: ReadonlyMap<string, string>): ImportRefs {
  const roles: { [Role in OnecRole]?: string } = {};
  const operations: { [Type in OnecDocKey]?: string } = {};
  const organizations = new Map<string, string>();
  const departments = new Map<string, string>();
  for (const [key, ref] of refs) {
    if (key.startsWith(ORGANIZATION)) organizations.set(foldName(key.slice(ORGANIZATION.length)), ref);
    else if (key.startsWith(DEPARTMENT)) departments.set(foldName(key.slice(DEPARTMENT.length)), ref);
    else if (key.startsWith(OPERATION)) operations[key.slice(OPERATION.length) as OnecDocKey] = ref;
    else roles[key as OnecRole] = ref;
  }
  const [phoneKind, emailKind] = [refs.get('phoneKind'), refs.get('emailKind')];
  return {
    ...{ roles, operations, organizations, departments },
    ...(phoneKind === undefined ? {} : { phoneKind }),
    ...(emailKind === undefined ? {} : { emailKind }),
  };
}

type Role = OnecRole & keyof OnecDocumentMapping;

const COMMON: readonly Role[] = ['organization', 'department', 'author'];
const REPAIR: readonly Role[] = [...COMMON, 'currency', 'priceType', 'workPriceType', 'repairKind', 'workshop'];
/** Without these Alfa-Auto 6.1 refuses a document, from its first write on; other configurations say so themselves. */
const DEMANDED: { readonly [Type in OnecDocKey]: readonly Role[] } = {
  repairRequest: REPAIR,
  repairSummary: COMMON,
  workOrder: REPAIR,
  customerOrder: [...COMMON, 'currency', 'priceType', 'warehouse'],
};

/** What is missing for anything to be made: names of the mapping, with what 1C said of each. */
export function missingDefaults({ mapping, refs }: ImportOptions, faults: readonly string[]): string[] {
  const missing = new Set<string>();
  const { as } = mapping.import;
  const chain: readonly OnecDocKey[] = ['repairRequest', 'repairSummary', 'workOrder'];
  const types =
    as === 'chain'
      ? chain
      : as === 'customerOrder'
        ? (['customerOrder'] as const)
        : [...chain, 'customerOrder' as const];
  for (const type of types) {
    const document = mapping.documents[type];
    if (document === undefined) continue;
    if (document.comment === undefined) {
      missing.add(
        `onec.documents.${type}.comment: missing; a document cut off half-way is found again by what stands there`,
      );
    }
    if (mapping.preset !== 'alfa-auto-6') continue;
    for (const role of DEMANDED[type]) {
      if (document[role] !== undefined && refs.roles[role] === undefined)
        missing.add(said(`onec.defaults.${role}`, faults));
    }
    if (document.operation !== undefined && refs.operations[type] === undefined) {
      missing.add(said(`onec.defaults.operation.${type}`, faults));
    }
  }
  return [...missing];
}

function said(path: string, faults: readonly string[]): string {
  return faults.find((fault) => fault.startsWith(`${path}:`)) ?? `${path}: missing; 1C takes no document without it`;
}

/** Ends the pass before anything is made by halves. */
export function demandDefaults({ options, faults }: OpenedOnec): void {
  const missing = missingDefaults(options, faults);
  if (missing.length === 0) return;
  throw configError(
    'ONEC_DEFAULTS',
    'deals wait to become documents in 1C, and the mapping lacks what 1C asks for in them',
    'Complete onec.defaults in the mapping; mapping.example.yaml shows each of them.',
    missing,
  );
}
