import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory } from '../memory.ts';
import { probed } from '../probed.ts';
import { type ElementLink, validationErrors } from '../schema.ts';
import { type GoodLinkPayload, KINDS } from './payloads.ts';

export interface GoodLinkOptions {
  client: AmocrmClient;
  memory: AmoMemory;
}

/** Goods put on a deal, many deals in one request. */
export function goodLinkHandler({ client, memory }: GoodLinkOptions): EffectHandler {
  /** Rows that amoCRM has acknowledged in this run: sent again, they may be linked all the same. */
  const acknowledged = new Set<number>();
  /** What the last request held, in its order: a refusal names its items by their places. */
  let asked: readonly (readonly Delivery[])[] = [];

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const linked = await linkedAlready(deliveries.filter(({ row }) => row.sentAt !== null || acknowledged.has(row.id)));
    asked = byElement(deliveries.filter(({ row }) => !linked.has(row.id)));
    const links = asked.flatMap((same) => {
      const [first] = same;
      if (first === undefined) return [];
      // Weighed goods have three decimals; a sum of floats must not look like another quantity.
      const quantity = Math.round(same.reduce((sum, one) => sum + payloadOf(one).quantity, 0) * 1000) / 1000;
      return [{ ...idsOf(first), catalogId: payloadOf(first).catalogId, quantity }];
    });
    if (links.length > 0) await client.linkDeals(links, onSend);
    for (const { row } of deliveries) acknowledged.add(row.id);
    return new Map(deliveries.map((delivery) => [delivery.row.id, { state: 'done', remoteId: remoteIdOf(delivery) }]));
  }

  async function present(deliveries: readonly Delivery[]): Promise<{
    has: (delivery: Delivery) => boolean;
    gone: (delivery: Delivery) => boolean;
  }> {
    const links = await client.linksOfDeals(deliveries.map((delivery) => idsOf(delivery).dealId));
    const linked = (delivery: Delivery): readonly ElementLink[] => links.get(idsOf(delivery).dealId) ?? [];
    return {
      has: (delivery) =>
        linked(delivery).some(
          (link) => link.elementId === idsOf(delivery).elementId && link.catalogId === payloadOf(delivery).catalogId,
        ),
      gone: (delivery) => !links.has(idsOf(delivery).dealId),
    };
  }

  /** Which of these stand on their deals. Asked for deal by deal, since lists lag; not at all where linking again does no harm. */
  async function linkedAlready(again: readonly Delivery[]): Promise<Set<number>> {
    const linked = new Set<number>();
    if (again.length === 0 || (await probed(memory, 'relink')) === 'replaces') return linked;
    for (const delivery of again) {
      const { has } = await present([delivery]);
      if (has(delivery)) linked.add(delivery.row.id);
    }
    return linked;
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const { has } = await present(deliveries);
    return new Map(
      deliveries.map((delivery): [number, Look] => [
        delivery.row.id,
        has(delivery) ? { state: 'found', remoteId: remoteIdOf(delivery) } : { state: 'absent' },
      ]),
    );
  }

  return {
    kind: KINDS.goodLink,
    batch: 50,
    hangsOn: (payload) => (payload as GoodLinkPayload).dealKey,
    send,
    look,
    /** Linking some hundred goods at once was seen to lose a few, so they are read back, 250 deals a request. */
    verify: async (deliveries) => {
      const { has, gone } = await present(deliveries);
      return deliveries.filter((delivery) => !has(delivery) && !gone(delivery)).map(({ row }) => row.id);
    },
    judge: (error) => {
      const outcomes = new Map<number, Outcome>();
      for (const { requestId, path, code } of validationErrors(error.answer)) {
        const reason = `amoCRM refused the link (${path || 'item'}: ${code})`;
        for (const delivery of (requestId === '' ? undefined : asked[Number(requestId)]) ?? []) {
          outcomes.set(
            delivery.row.id,
            path.startsWith('to_entity_id')
              ? { state: 'renew', keys: [payloadOf(delivery).goodKey], reason }
              : { state: 'refused', reason },
          );
        }
      }
      return outcomes;
    },
    describe: (payload) => {
      const { goodKey, quantity } = payload as GoodLinkPayload;
      return { sku: goodKey.split(':').slice(3).join(':'), quantity } satisfies Record<string, Json>;
    },
  };
}

/** Goods of a deal that one element stands for are one link: what a second link of the same element does is not documented. */
function byElement(deliveries: readonly Delivery[]): Delivery[][] {
  const groups = new Map<string, Delivery[]>();
  for (const delivery of deliveries) {
    const key = `${payloadOf(delivery).catalogId}:${remoteIdOf(delivery)}`;
    groups.set(key, [...(groups.get(key) ?? []), delivery]);
  }
  return [...groups.values()];
}

function payloadOf(delivery: Delivery): GoodLinkPayload {
  return delivery.row.payload as GoodLinkPayload;
}

function idsOf(delivery: Delivery): { dealId: number; elementId: number } {
  const { dealKey, goodKey } = payloadOf(delivery);
  return { dealId: Number(delivery.ids.get(dealKey)), elementId: Number(delivery.ids.get(goodKey)) };
}

function remoteIdOf(delivery: Delivery): string {
  const { dealId, elementId } = idsOf(delivery);
  return `${dealId}:${elementId}`;
}
