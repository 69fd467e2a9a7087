import type { Link } from '../../../domain/effect.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { OnecLocal } from '../../../domain/onec.ts';
import { fromLocal } from '../time.ts';
import { groupBy, idOf, type OnecWriter, only } from './context.ts';
import { KINDS, type MarkPayload } from './payloads.ts';
import { propertyOf, writeInformation } from './records.ts';

const NAMES = ['exportedAt', 'updatedAt'] as const;

/** The dates of exchange, by 1C's own clock: what 1C has written so far is covered by them, whatever our clock says. */
export function markHandler(writer: OnecWriter): EffectHandler {
  const { odata, reader, timing } = writer;

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const delivery = only(deliveries);
    const payload = payloadOf(delivery);
    const now = odata.localNow();
    // Local times compare as text.
    const [, at = now] = [now, payload.notBefore].sort();
    for (const name of NAMES.filter((one) => payload[one] === true)) {
      const property = await propertyOf(writer, name);
      if (!('missing' in property)) {
        await writeInformation(writer, { set: payload.set, ref: objectOf(delivery), property, value: at }, onSend);
      } else if (name === 'exportedAt') {
        return new Map([[delivery.row.id, { state: 'refused', reason: property.missing }]]);
      }
      // A base without the date of updates is exchanged with all the same: nothing is decided by it.
    }
    return new Map([[delivery.row.id, { state: 'done', ...markedAt(delivery, at, writer.zone) }]]);
  }

  /** Both dates are written one after the other, so that either one that is old tells of an unfinished write. */
  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const looks = new Map<number, Look>();
    for (const [set, group] of groupBy(deliveries, (delivery) => payloadOf(delivery).set)) {
      const marks = await reader.marks(set, [...new Set(group.map(objectOf))]);
      const { found } = await reader.properties();
      for (const delivery of group) {
        const payload = payloadOf(delivery);
        const dates = NAMES.filter((name) => payload[name] === true && found.has(name)).map(
          (name) => marks.get(objectOf(delivery))?.[name] ?? '',
        );
        const oldest = [...dates].sort()[0] ?? '';
        const written = oldest >= payload.notBefore;
        looks.set(
          delivery.row.id,
          written ? { state: 'found', ...markedAt(delivery, oldest, writer.zone) } : { state: 'absent' },
        );
      }
    }
    return looks;
  }

  return {
    kind: KINDS.mark,
    batch: 1,
    ...timing,
    send,
    look,
    describe: (payload) => {
      const { set, object, objectKey, notBefore, ...wanted } = payload as MarkPayload;
      const dates = NAMES.filter((name) => wanted[name] === true).map((name) => writer.mapping.properties[name]);
      return { set, object: object ?? `→ ${objectKey}`, dates, notBefore };
    },
  };
}

function payloadOf(delivery: Delivery): MarkPayload {
  return delivery.row.payload as MarkPayload;
}

function objectOf(delivery: Delivery): string {
  const { object, objectKey = '' } = payloadOf(delivery);
  return object ?? idOf(delivery, objectKey);
}

function markedAt(delivery: Delivery, local: OnecLocal, zone: string): Found {
  // Operators ask for it in UTC, as for every time.
  const at = fromLocal(local, zone).toISOString();
  const remoteId = objectOf(delivery);
  const { exportedAt } = payloadOf(delivery);
  const applied = exportedAt === true ? { exportedAt: at } : { updatedAt: at };
  // A later exchange has a key of its own, `<link>#<revision>`; what was last written is kept with the link.
  const link = delivery.row.key.replace(/#\d+$/, '');
  const links: Link[] = link === delivery.row.key ? [] : [{ key: link, kind: KINDS.mark, remoteId, applied }];
  return { remoteId, applied, links };
}
