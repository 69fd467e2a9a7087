import { assert } from '../../../base/errors.ts';
import type { OnecMapping } from '../../../config/mapping-onec-types.ts';
import type { Delivery } from '../../../domain/handler.ts';
import type { OnecOdata, OnecReader } from '../api.ts';
import type { OnecEffectMemory } from './memory.ts';
import type { OwnUnits } from './units.ts';

/** What every write at 1C works with. */
export interface OnecWriter {
  odata: OnecOdata;
  reader: OnecReader;
  mapping: OnecMapping;
  memory: OnecEffectMemory;
  /** IANA zone of the 1C server. */
  zone: string;
  living: Living;
  /** References of what this run has made: nothing can hang there yet, and nobody else has touched it. */
  made: Set<string>;
  units: OwnUnits;
  timing: Timing;
}

/** How long 1C may need: an object may be written minutes after the connection to it was lost. */
export interface Timing {
  quietMs: number;
  requestMs?: number;
}

/** Which objects stand: they exist and are not marked for deletion. What was once seen is not asked for again in this run. */
export interface Living {
  of(wanted: readonly { set: string; ref: string }[]): Promise<ReadonlySet<string>>;
  note(ref: string): void;
}

export function livingObjects(odata: OnecOdata): Living {
  const seen = new Set<string>();
  return {
    note: (ref) => {
      seen.add(ref);
    },
    of: async (wanted) => {
      for (const [set, group] of groupBy(wanted, (one) => one.set)) {
        const refs = [...new Set(group.map(({ ref }) => ref))].filter((ref) => !seen.has(ref));
        if (refs.length === 0) continue;
        for (const [ref, entity] of await odata.byRefs(set, refs, ['Ref_Key', 'DeletionMark'])) {
          if (entity.DeletionMark !== true) seen.add(ref);
        }
      }
      return new Set(wanted.map(({ ref }) => ref).filter((ref) => seen.has(ref)));
    },
  };
}

export function groupBy<T, K>(items: readonly T[], keyOf: (item: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}

/** The remote id that another effect of the plan has left; the deliverer hands over none that lacks one. */
export function idOf(delivery: Delivery, key: string): string {
  const id = delivery.ids.get(key);
  assert(id !== undefined && id !== '', `${delivery.row.key} does not name what it needs: ${key}`);
  return id;
}

/** The first of the deliveries: 1C takes one object a request, so that every batch is one. */
export function only(deliveries: readonly Delivery[]): Delivery {
  const [delivery, ...others] = deliveries;
  assert(delivery !== undefined && others.length === 0, 'a write at 1C is a batch of one');
  return delivery;
}

/** For people: the record that an effect belongs to. */
export function recordOf({ row }: Delivery): string {
  return `${row.record.kind} ${row.record.key}`;
}
