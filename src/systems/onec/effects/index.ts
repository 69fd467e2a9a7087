import type { OnecMapping } from '../../../config/mapping-onec-types.ts';
import type { EffectHandler } from '../../../domain/handler.ts';
import type { OnecOdata, OnecReader } from '../api.ts';
import { livingObjects } from './context.ts';
import { createHandler } from './create.ts';
import { idHandler } from './id.ts';
import { markHandler } from './mark.ts';
import type { OnecEffectMemory } from './memory.ts';
import { KINDS } from './payloads.ts';
import { postHandler } from './post.ts';
import { stateHandler } from './state.ts';
import { ownUnits } from './units.ts';

/** A request may still be running in 1C for minutes after its connection was lost (seen with first requests after idling). */
const QUIET_MS = 300_000;

export interface OnecEffectOptions {
  odata: OnecOdata;
  reader: OnecReader;
  mapping: OnecMapping;
  memory: OnecEffectMemory;
  /** IANA zone of the 1C server. */
  zone: string;
  /** Quiet time before an object in doubt is looked up; default five minutes. */
  quietMs?: number;
  /** The longest that a request to 1C may run; default the runner's own. */
  requestMs?: number;
}

/**
 * The writes that 1C takes, in the order in which one needs the other. To be made anew for each run: what was read is kept for
 * that long.
 */
export function onecEffects({
  odata,
  reader,
  mapping,
  memory,
  zone,
  quietMs,
  requestMs,
}: OnecEffectOptions): EffectHandler[] {
  const timing = { quietMs: quietMs ?? QUIET_MS, ...(requestMs === undefined ? {} : { requestMs }) };
  const writer = {
    odata,
    reader,
    mapping,
    memory,
    zone,
    living: livingObjects(odata),
    made: new Set<string>(),
    units: ownUnits(odata, mapping),
    timing,
  };
  return [
    createHandler(writer, KINDS.client),
    createHandler(writer, KINDS.contract),
    createHandler(writer, KINDS.item),
    createHandler(writer, KINDS.work),
    createHandler(writer, KINDS.request),
    postHandler(writer, KINDS.requestPost),
    createHandler(writer, KINDS.summary),
    createHandler(writer, KINDS.workOrder),
    createHandler(writer, KINDS.customerOrder),
    postHandler(writer, KINDS.customerOrderPost),
    idHandler(writer),
    stateHandler(writer),
    markHandler(writer),
  ];
}
