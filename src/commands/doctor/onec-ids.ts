import type { OnecMapping } from '../../config/mapping-onec-types.ts';
import type { AmoSettings } from '../../systems/amocrm/settings.ts';
import type { AccountMap } from '../amo-account.ts';

type Fields = OnecMapping['fields'];

const CONTACT = ['contactPhone', 'contactEmail', 'contactCode', 'contactCarId'] as const;
const COMPANY = ['companyCode', 'companyPhone', 'companyEmail'] as const;

/** Ids of the mapping's `onec` part that the account does not have. What the token may not see is not judged. */
export function onecIdFaults(
  map: AccountMap,
  settings: Pick<AmoSettings, 'AMO_CATALOG_ID'>,
  mapping: OnecMapping,
  hasStage: (pipelineId: number | undefined, status: number) => boolean,
): string[] {
  const faults = mapping.statuses.flatMap(({ pipeline, status }, index) =>
    hasStage(pipeline, status)
      ? []
      : [`mapping onec.statuses[${index}]: there is no stage ${status} in pipeline ${pipeline}`],
  );
  const ofDeals = (Object.keys(mapping.fields) as (keyof Fields)[]).filter((name) => !/^(contact|company)/.test(name));
  for (const [owner, names] of [
    ['deals', ofDeals],
    ['contacts', CONTACT],
    ['companies', COMPANY],
  ] as const) {
    const known = new Set(map.fields[owner].map(({ id }) => id));
    for (const name of known.size === 0 ? [] : names) {
      const id = mapping.fields[name];
      if (id !== undefined && !known.has(id)) {
        faults.push(`mapping onec.fields.${snakeCase(name)}: there is no field ${id} of ${owner}`);
      }
    }
  }
  return [...faults, ...catalogFaults(map, settings, mapping), ...userFaults(map, mapping)];
}

function catalogFaults(
  map: AccountMap,
  { AMO_CATALOG_ID }: Pick<AmoSettings, 'AMO_CATALOG_ID'>,
  { catalog: names }: OnecMapping,
): string[] {
  const fields = map.catalogs.find(({ id }) => id === AMO_CATALOG_ID)?.fields ?? [];
  if (fields.length === 0) return [];
  return Object.entries(names).flatMap(([name, field]) =>
    field === undefined || fields.some(({ id, code }) => code === field || String(id) === field)
      ? []
      : [`mapping onec.catalog.${name}: catalog ${AMO_CATALOG_ID} has no field ${field}`],
  );
}

function userFaults({ users }: AccountMap, mapping: OnecMapping): string[] {
  if (users.length === 0) return [];
  return Object.entries(mapping.users).flatMap(([name, wanted]) =>
    users.some(({ id, isActive }) => id === wanted && isActive)
      ? []
      : [`mapping onec.users "${name}": there is no active user ${wanted}`],
  );
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
