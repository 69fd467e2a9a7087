import { EMPTY_DATE, type OnecDocumentType } from '../domain/onec.ts';
import type { Adopted } from '../runner/sink.ts';
import type { OnecReader } from '../systems/onec/api.ts';
import { KINDS, keys } from '../systems/onec/effects/payloads.ts';
import { firstStateKey, LEAD_RECORD, type PlannedState } from './onec-import-state.ts';
import type { OnecJobContext } from './onec-reading.ts';

/** A document that stands for a deal already. */
export interface FoundDocument {
  type: OnecDocumentType;
  ref: string;
  /** The name of the state that both sides last agreed on. */
  state: string;
}

export interface Findings {
  documents: Map<number, FoundDocument>;
  /** Deals whose document was marked for deletion. */
  deleted: Set<number>;
}

const TYPES = ['workOrder', 'customerOrder'] as const;

/**
 * Documents of deals that are not bound here: those that an export has made deals of, and those in which 1C itself names the
 * deal. An object that is gone although its information is left counts as none.
 */
export async function findDocuments(
  deals: readonly { id: number }[],
  reader: OnecReader,
  { tables, clients, log }: OnecJobContext,
): Promise<Findings> {
  const findings: Findings = { documents: new Map(), deleted: new Set() };
  const dealIds = deals.map(({ id }) => id);
  const exported = await tables.onec.refsOfDeals(dealIds);
  const rest = dealIds.filter((dealId) => !exported.has(dealId));
  const marked =
    rest.length === 0 ? new Map<number, { set: string; ref: string }[]>() : await reader.byAmoId('lead', rest);
  const seen = await tables.onec.seen([...exported.values(), ...[...marked.values()].flat().map(({ ref }) => ref)]);
  const unsettled: { dealId: number; type: OnecDocumentType; ref: string }[] = [];
  const typeOf = (set: string) => TYPES.find((type) => clients.onec.mapping.documents[type]?.set === set);
  for (const [dealId, ref] of exported) {
    const type = seen.get(ref)?.type ?? (await reader.head(ref))?.type;
    const known = TYPES.find((one) => one === type);
    if (known !== undefined) unsettled.push({ dealId, type: known, ref });
  }
  for (const [dealId, objects] of marked) {
    const hits = objects.flatMap(({ set, ref }) => {
      const type = typeOf(set);
      return type === undefined ? [] : [{ dealId, type, ref }];
    });
    if (hits.length > 1) log.warn({ record: dealId, documents: hits.length }, 'several documents in 1C name one deal');
    unsettled.push(...hits);
  }
  for (const type of TYPES) {
    const ofType = unsettled.filter((one) => one.type === type);
    if (ofType.length === 0) continue;
    const states = await reader.states(
      type,
      ofType.map(({ ref }) => ref),
    );
    for (const { dealId, ref } of ofType) {
      const shown = states.get(ref);
      if (shown === undefined || findings.documents.has(dealId)) continue;
      if (shown.deletionMark) findings.deleted.add(dealId);
      else findings.documents.set(dealId, { type, ref, state: seen.get(ref)?.state ?? shown.state?.name ?? '' });
    }
  }
  for (const dealId of findings.documents.keys()) findings.deleted.delete(dealId);
  return findings;
}

/** Bound as if this job had made it, with what was last agreed on: a state that 1C has changed since is 1C's own. */
export function adoptedDocument(dealId: number, { type, ref, state }: FoundDocument): Adopted {
  const dealKey = keys.document(dealId);
  const applied: PlannedState = { type, state };
  return {
    record: { kind: LEAD_RECORD, key: String(dealId) },
    ...{ dealKey, dealKind: type === 'workOrder' ? KINDS.workOrder : KINDS.customerOrder, dealId: ref },
    applied: { ...applied },
    others: [
      { key: keys.mark(dealKey), kind: KINDS.mark, remoteId: ref, applied: { updatedAt: EMPTY_DATE } },
      { key: firstStateKey(dealId), kind: KINDS.state, remoteId: ref },
    ],
  };
}
