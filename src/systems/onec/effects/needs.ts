import type { OnecMapping } from '../../../config/mapping-onec-types.ts';
import type { Delivery } from '../../../domain/handler.ts';
import { groupBy, type OnecWriter } from './context.ts';
import { createOf } from './find.ts';
import { keys } from './payloads.ts';

/**
 * Which references of these effects lead to objects that were deleted or marked since they were bound: 1C takes a reference that
 * points nowhere without a word (seen with УТ 11). Row id → the keys of the effects that are to be done anew.
 */
export async function goneNeeds(
  writer: OnecWriter,
  deliveries: readonly Delivery[],
): Promise<Map<number, readonly string[]>> {
  const needed = deliveries.flatMap((delivery) =>
    Object.values(createOf(delivery).refs).flatMap((key) => {
      const set = setOf(writer.mapping, key);
      const ref = delivery.ids.get(key);
      return set === undefined || ref === undefined ? [] : [{ id: delivery.row.id, key, set, ref }];
    }),
  );
  const standing = await writer.living.of(needed);
  const gone = new Map<number, readonly string[]>();
  for (const [id, group] of groupBy(
    needed.filter(({ ref }) => !standing.has(ref)),
    (one) => one.id,
  )) {
    const missing = [...new Set(group.map(({ key }) => key))];
    const own = deliveries.find(({ row }) => row.id === id)?.ids;
    // A client's contract goes with the client, and the new request is to be posted as the old one was.
    const hanging = missing.flatMap((key) => [keys.contract(key), postKeyOf(key)]).filter((key) => own?.has(key));
    gone.set(id, [...new Set([...missing, ...hanging])]);
  }
  return gone;
}

const REQUEST = 'onec:request:amocrm:';

function postKeyOf(key: string): string {
  return key.startsWith(REQUEST) ? keys.requestPost(Number(key.slice(REQUEST.length))) : '';
}

/** In which set the object of an effect stands, by the beginning of the effect's key. */
function setOf({ catalogs, documents }: OnecMapping, key: string): string | undefined {
  const sets: [string, string | undefined][] = [
    ['onec:client:', catalogs.counterparty.set],
    ['onec:contract:', catalogs.contract?.set],
    ['onec:item:', catalogs.item.set],
    ['onec:work:', catalogs.work.set],
    ['onec:request:', documents.repairRequest?.set],
    ['onec:summary:', documents.repairSummary?.set],
  ];
  return sets.find(([beginning]) => key.startsWith(beginning))?.[1];
}
