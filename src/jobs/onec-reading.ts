import { configError } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { Mapping } from '../config/mapping.ts';
import type { OnecMapping } from '../config/mapping-onec-types.ts';
import type { CoreSettings } from '../config/settings.ts';
import type { JobContext } from '../runner/job.ts';
import type { AmoSettings } from '../systems/amocrm/settings.ts';
import type { OnecPropertyName, OnecReader } from '../systems/onec/api.ts';
import { isNamed, withoutMissing } from '../systems/onec/names.ts';
import type { OnecSettings } from '../systems/onec/settings.ts';
import type { AmoAccess } from './kaspi-compare.ts';

/** 1C as a job gets it. */
export interface OnecAccess {
  /** `mapping`: in the place of the operator's, without the names that this base lacks. */
  reader(mapping?: OnecMapping): Promise<OnecReader>;
  mapping: OnecMapping;
}

export type OnecJobContext = JobContext<
  { onec: OnecAccess; amocrm: () => Promise<AmoAccess> },
  CoreSettings & OnecSettings & AmoSettings,
  Mapping
>;

/** IANA name of the zone of 1C's dates. */
export function zoneOf({ settings }: Pick<OnecJobContext, 'settings'>, mapping: OnecMapping): string {
  return mapping.server.timeZone ?? settings.ONEC_TIMEZONE ?? settings.TIMEZONE;
}

/** A reader of what this base really has, and the mapping that it goes by. */
export interface UsableOnec {
  reader: OnecReader;
  mapping: OnecMapping;
}

export interface OnecNeeds {
  /** Kinds of documents that the job is about; those that are not published are left out while one is left. */
  kinds: readonly ('workOrder' | 'customerOrder')[];
  /** Additional information that the job cannot do without. */
  properties: readonly OnecPropertyName[];
}

/**
 * Compares the mapping's names with what 1C publishes, before anything is read. What a job can do without is left out, with
 * a word in the log, unless the operator has named it; everything else is one configError (78) that lists all faults.
 */
export async function usableOnec(
  { reader: open, mapping }: OnecAccess,
  needs: OnecNeeds,
  log: Logger,
): Promise<UsableOnec> {
  const first = await open();
  const names = await first.checkNames();
  const unpublished = names.essential.filter(
    (fault) => !isNamed(mapping, fault) && needs.kinds.some((kind) => isSetOf(fault, kind)),
  );
  const others = names.essential.filter((fault) => !unpublished.includes(fault));
  const mapped = needs.kinds.filter((kind) => mapping.documents[kind] !== undefined);
  const isOneLeft = mapped.some((kind) => !unpublished.some((fault) => isSetOf(fault, kind)));
  const { faults: ofProperties } = await first.properties();
  const lacking = ofProperties.filter(
    (fault) => isNamed(mapping, fault) || needs.properties.some((name) => namesProperty(fault, name)),
  );
  const none = mapped.length > 0 ? unpublished : ['onec.documents: neither work orders nor customer orders are mapped'];
  const faults = [...others, ...(isOneLeft ? [] : none), ...lacking];
  if (faults.length > 0) throw unfit(faults);
  const left = [...unpublished, ...names.missing];
  const dispensable = ofProperties.filter((fault) => !lacking.includes(fault));
  if (left.length + dispensable.length > 0) {
    log.info({ names: [...left, ...dispensable] }, '1C lacks names of the mapping; they are neither read nor written');
  }
  if (left.length === 0) return { reader: first, mapping };
  const fitting = withoutMissing(mapping, left);
  return { reader: await open(fitting), mapping: fitting };
}

function isSetOf(fault: string, kind: OnecNeeds['kinds'][number]): boolean {
  return fault.startsWith(`onec.documents.${kind}.set:`);
}

function namesProperty(fault: string, name: OnecPropertyName): boolean {
  return fault.startsWith(`onec.properties.${name}:`);
}

function unfit(faults: readonly string[]): Error {
  return configError(
    'ONEC_UNFIT',
    faults.length === 1
      ? '1C lacks something that the job needs'
      : `1C lacks ${faults.length} things that the job needs`,
    'Publish the objects and make the additional information as docs/onec.md shows, or correct the onec part of the mapping; sdelka doctor checks it anew.',
    faults,
  );
}
