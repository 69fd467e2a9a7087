import type { Delivery, EffectHandler, Found, Look, Outcome, Report } from '../../../domain/handler.ts';
import { groupBy, idOf, type OnecWriter, only, recordOf } from './context.ts';
import { type IdPayload, KINDS } from './payloads.ts';
import { propertyOf, writeInformation } from './records.ts';

/** Ids of amoCRM in the additional information of 1C's objects. */
export function idHandler(writer: OnecWriter): EffectHandler {
  const { reader, made, timing } = writer;

  /** Nothing is asked where the planner has read the right id already. */
  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const settled = new Map<number, Found>();
    for (const delivery of deliveries) {
      if (payloadOf(delivery).current === idToKeep(delivery)) settled.set(delivery.row.id, foundAt(delivery));
    }
    const rest = deliveries.filter(
      (one) => !settled.has(one.row.id) && !(one.row.sentAt === null && made.has(objectOf(one))),
    );
    for (const [set, group] of groupBy(rest, (delivery) => payloadOf(delivery).set)) {
      const marks = await reader.marks(set, [...new Set(group.map(objectOf))]);
      for (const delivery of group) {
        const there = marks.get(objectOf(delivery))?.amoId;
        if (there === idToKeep(delivery)) settled.set(delivery.row.id, foundAt(delivery));
        else if (isForeign(delivery, there))
          settled.set(delivery.row.id, foundAt(delivery, [foreignReport(delivery, there)]));
      }
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const delivery = only(deliveries);
    const { set, property: name } = payloadOf(delivery);
    const property = await propertyOf(writer, name);
    if ('missing' in property) return new Map([[delivery.row.id, { state: 'refused', reason: property.missing }]]);
    await writeInformation(writer, { set, ref: objectOf(delivery), property, value: idToKeep(delivery) }, onSend);
    return new Map([[delivery.row.id, { state: 'done', ...foundAt(delivery) }]]);
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const found = await known(deliveries);
    return new Map(
      deliveries.map(({ row }): [number, Look] => {
        const one = found.get(row.id);
        return [row.id, one ? { state: 'found', ...one } : { state: 'absent' }];
      }),
    );
  }

  return {
    kind: KINDS.id,
    batch: 1,
    ...timing,
    known,
    send,
    look,
    describe: (payload) => {
      const { property, set, object, objectKey, amoId, amoKey, current } = payload as IdPayload;
      return {
        set,
        object: object ?? `→ ${objectKey}`,
        [writer.mapping.properties[property]]: amoId ?? `→ ${amoKey}`,
        ...(current === undefined ? {} : { now: current }),
      };
    },
  };
}

function payloadOf(delivery: Delivery): IdPayload {
  return delivery.row.payload as IdPayload;
}

function objectOf(delivery: Delivery): string {
  const { object, objectKey = '' } = payloadOf(delivery);
  return object ?? idOf(delivery, objectKey);
}

function idToKeep(delivery: Delivery): number {
  const { amoId, amoKey = '' } = payloadOf(delivery);
  return amoId ?? Number(idOf(delivery, amoKey));
}

function foundAt(delivery: Delivery, reports: readonly Report[] = []): Found {
  // Named with its set, so that the object can serve as one that is known to have an id.
  const remoteId = `${payloadOf(delivery).set}:${objectOf(delivery)}`;
  return { remoteId, applied: idToKeep(delivery), reports };
}

/** A deal that came to stand at the document since it was planned is another program's or database's: ours would hide the double. */
function isForeign(delivery: Delivery, there: number | undefined): there is number {
  const { property, current } = payloadOf(delivery);
  return property === 'lead' && there !== undefined && there !== current;
}

function foreignReport(delivery: Delivery, there: number): Report {
  return {
    kind: 'conflict',
    subject: `${delivery.row.record.kind}:${delivery.row.record.key}:deal`,
    message: `${recordOf(delivery)}: deal ${there} was written to document ${objectOf(delivery)} of 1C by someone else, so that deal ${idToKeep(delivery)} is a second one for it; keep one of them, and its id there`,
  };
}
