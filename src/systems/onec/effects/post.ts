import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { OnecEntity } from '../api.ts';
import { flagOf } from '../schema.ts';
import { groupBy, idOf, type OnecWriter, only } from './context.ts';
import type { PostPayload } from './payloads.ts';

/** Posts a document that another effect has made. Posting what is posted is no error; its address is never read, since a GET posts too. */
export function postHandler({ odata, mapping, made, timing }: OnecWriter, kind: string): EffectHandler {
  async function postedOnes(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const settled = new Map<number, Found>();
    for (const [set, group] of groupBy(deliveries, (delivery) => payloadOf(delivery).set)) {
      const posted = Object.values(mapping.documents).find((one) => one?.set === set)?.posted ?? 'Posted';
      const rows = await odata.byRefs(set, group.map(refOf), ['Ref_Key', posted]);
      for (const delivery of group) {
        const row: OnecEntity | undefined = rows.get(refOf(delivery));
        if (row !== undefined && flagOf(row, posted)) settled.set(delivery.row.id, { remoteId: refOf(delivery) });
      }
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const delivery = only(deliveries);
    await odata.post(payloadOf(delivery).set, refOf(delivery), onSend);
    return new Map([[delivery.row.id, { state: 'done', remoteId: refOf(delivery) }]]);
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const posted = await postedOnes(deliveries);
    return new Map(
      deliveries.map(({ row }): [number, Look] => {
        const found = posted.get(row.id);
        return [row.id, found ? { state: 'found', ...found } : { state: 'absent' }];
      }),
    );
  }

  return {
    kind,
    batch: 1,
    ...timing,
    known: (deliveries) => postedOnes(deliveries.filter((delivery) => !made.has(refOf(delivery)))),
    send,
    look,
    describe: (payload) => ({ set: (payload as PostPayload).set, post: true }),
  };
}

function payloadOf(delivery: Delivery): PostPayload {
  return delivery.row.payload as PostPayload;
}

function refOf(delivery: Delivery): string {
  return idOf(delivery, payloadOf(delivery).documentKey);
}
