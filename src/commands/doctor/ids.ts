import type { Mapping } from '../../config/mapping.ts';
import type { AmoSettings } from '../../systems/amocrm/settings.ts';
import type { AccountMap } from '../amo-account.ts';
import { onecIdFaults } from './onec-ids.ts';

/** Ids of the settings and of the mapping that the account does not have. */
export function idFaults(map: AccountMap, settings: AmoSettings, mapping: Mapping | undefined): string[] {
  const faults: string[] = [];
  const pipeline = map.pipelines.find(({ id }) => id === settings.AMO_PIPELINE_ID);
  if (settings.AMO_PIPELINE_ID !== undefined && !pipeline) {
    faults.push(`AMO_PIPELINE_ID: there is no pipeline ${settings.AMO_PIPELINE_ID}`);
  }
  const hasStage = (pipelineId: number | undefined, status: number) => {
    const within = map.pipelines.filter(({ id }) => pipelineId === undefined || id === pipelineId);
    return within.some(({ statuses }) => statuses.some(({ id }) => id === status));
  };
  if (settings.AMO_STATUS_ID !== undefined && !hasStage(settings.AMO_PIPELINE_ID, settings.AMO_STATUS_ID)) {
    faults.push(`AMO_STATUS_ID: there is no stage ${settings.AMO_STATUS_ID} in that pipeline`);
  }
  const user = settings.AMO_RESPONSIBLE_USER_ID;
  if (user !== undefined && map.users.length > 0 && !map.users.some(({ id, isActive }) => id === user && isActive)) {
    faults.push(`AMO_RESPONSIBLE_USER_ID: there is no active user ${user}`);
  }
  const catalog = map.catalogs.find(({ id }) => id === settings.AMO_CATALOG_ID);
  if (settings.AMO_CATALOG_ID !== undefined && !catalog) {
    faults.push(`AMO_CATALOG_ID: there is no catalog ${settings.AMO_CATALOG_ID}`);
  } else if (catalog && !catalog.fields.some(({ code, name }) => code === 'SKU' || /^(sku|артикул)$/i.test(name))) {
    faults.push(`AMO_CATALOG_ID: catalog ${catalog.id} has no field for the article (code SKU, or named Артикул)`);
  }
  if (mapping) faults.push(...mappingFaults(map, settings, mapping, hasStage));
  return faults;
}

function mappingFaults(
  map: AccountMap,
  settings: AmoSettings,
  { kaspi, onec }: Mapping,
  hasStage: (pipelineId: number | undefined, status: number) => boolean,
): string[] {
  const fields = new Set(map.fields.deals.map(({ id }) => id));
  const wanted = [...kaspi.deal.fields.map(({ fieldId }) => fieldId), kaspi.deal.externalIdField];
  const unknown = [...new Set(wanted)].filter((id) => id !== undefined && fields.size > 0 && !fields.has(id));
  return [
    ...unknown.map((id) => `mapping kaspi.deal: there is no deal field ${id}`),
    ...kaspi.stages.flatMap(({ status, pipeline }, index) =>
      hasStage(pipeline ?? settings.AMO_PIPELINE_ID, status)
        ? []
        : [`mapping kaspi.stages[${index}]: there is no stage ${status} in that pipeline`],
    ),
    ...(onec === undefined ? [] : onecIdFaults(map, settings, onec, hasStage)),
  ];
}
