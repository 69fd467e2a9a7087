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

/** What a document may take from `defaults`. */
const ROLES = [
  ...['organization', 'department', 'warehouse', 'priceType', 'workPriceType'],
  ...['repairKind', 'workshop', 'currency', 'author', 'manager'],
] as (OnecRole & keyof OnecDocumentMapping)[];

/**
 * What keeps anything from being made: things that the operator has named and 1C does not have. What nobody has named is
 * left out; where 1C cannot do without it, it says so of the document.
 */
export function missingDefaults({ mapping }: Pick<ImportOptions, 'mapping'>, faults: readonly string[]): string[] {
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
    for (const fault of faults) {
      const role = /^onec\.defaults\.(?:operation\.)?(\w+):/.exec(fault)?.[1];
      if (role === type || ROLES.some((one) => one === role && document[one] !== undefined)) missing.add(fault);
    }
  }
  return [...missing];
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
