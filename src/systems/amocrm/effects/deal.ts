import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory } from '../memory.ts';
import { type Deal, type Field, type ValidationError, validationErrors } from '../schema.ts';
import type { NewDeal } from '../write.ts';
import { blame } from './blame.ts';
import { fieldWrites } from './field-values.ts';
import { type DealPayload, KINDS, noteEffect, peopleKeys } from './payloads.ts';
import { controlsBefore, walkNewestFirst } from './walk.ts';

const DAY_MS = 86_400_000;

export interface DealOptions {
  client: AmocrmClient;
  memory: AmoMemory;
  /** IANA name: dates in the mapping's texts are local. */
  zone: string;
}

/** A deal made once; found again by the field that holds its external id, or by its name. */
export function dealHandler({ client, memory, zone }: DealOptions): EffectHandler {
  const dealFields = () => memory.cached<Field[]>('amocrm:fields:deals', DAY_MS, () => client.listFields('deals'));

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const fields = deliveries.some(hasFields) ? await dealFields() : [];
    const made = await client.createDeals(
      deliveries.map((delivery) => newDeal(delivery, fields, zone)),
      onSend,
    );
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) {
      const id = made.get(String(delivery.row.id));
      if (id !== undefined) outcomes.set(delivery.row.id, { state: 'done', ...asFound(id, payloadOf(delivery)) });
    }
    return outcomes;
  }

  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const byId = groupedBy(deliveries, ({ exactName, externalId }) => (exactName ? undefined : externalId));
    const byName = groupedBy(deliveries, ({ exactName, name }) => (exactName ? name : undefined));
    const hits = new Map<number, number>();
    const hit = (deal: Deal, wanted: readonly Delivery[] | undefined) => {
      for (const delivery of wanted ?? []) {
        if (isTheSame(deal, delivery))
          hits.set(delivery.row.id, Math.min(deal.id, hits.get(delivery.row.id) ?? deal.id));
      }
    };
    const since = new Date(Math.min(...deliveries.map((delivery) => delivery.since.getTime())));
    const distrust = await walkNewestFirst<Deal>({
      page: async (page) => (await client.listDeals({ page, limit: 250, order: { by: 'id', direction: 'desc' } })).rows,
      since,
      controls: await memory.controls(KINDS.deal, controlsBefore(deliveries)),
      existing: async (ids) => new Set((await client.dealsByIds(ids)).keys()),
      visit: (deal) => {
        for (const text of externalIds(deal, deliveries)) hit(deal, byId.get(text));
        hit(deal, byName.get(deal.name.trim()));
      },
    });
    return new Map(
      deliveries.map((delivery): [number, Look] => {
        const id = hits.get(delivery.row.id);
        if (id !== undefined) return [delivery.row.id, { state: 'found', ...asFound(id, payloadOf(delivery)) }];
        return [delivery.row.id, distrust === undefined ? { state: 'absent' } : { state: 'unknown', reason: distrust }];
      }),
    );
  }

  return {
    kind: KINDS.deal,
    batch: 50,
    counts: 'created',
    since: (payload) => new Date((payload as DealPayload).since),
    send,
    look,
    judge: (error, deliveries) => {
      const outcomes = blame(error, deliveries, {
        fields: (delivery) => fieldIds(payloadOf(delivery)),
        // A document of 1C begins in a state whose stage may be amoCRM's own for unsorted requests.
        stage: (delivery) => payloadOf(delivery).exactName === true,
        extra: (delivery, what, code) => [leftOutNote(delivery, what, code)],
      });
      const faults = validationErrors(error.answer);
      for (const delivery of deliveries) {
        const gone = goneKeys(delivery, faults);
        if (gone.length === 0) continue;
        const who = gone.every((key) => key === payloadOf(delivery).companyKey) ? 'company' : 'contact';
        const reason = `the ${who} is gone in amoCRM; it is found anew`;
        outcomes.set(delivery.row.id, { state: 'renew', keys: gone, reason });
      }
      return outcomes;
    },
    describe: (payload) => describe(payload as DealPayload),
  };
}

function payloadOf(delivery: Delivery): DealPayload {
  return delivery.row.payload as DealPayload;
}

function asFound(id: number, payload: DealPayload): Found {
  const { goods, goodsKey, price, pipelineId, statusId, lossReasonId, tags, fields } = payload;
  const applied = JSON.parse(JSON.stringify({ price, pipelineId, statusId, lossReasonId, tags, fields })) as Json;
  const remoteId = String(id);
  const links = goods && goodsKey ? [{ key: goodsKey, kind: KINDS.dealGoods, remoteId, applied: goods }] : [];
  return { remoteId, applied, links };
}

function hasFields(delivery: Delivery): boolean {
  return fieldIds(payloadOf(delivery)).length > 0;
}

/** The custom fields that are sent, in this order: those whose text is not empty. */
function fieldIds(payload: DealPayload): string[] {
  return Object.keys(payload.fields).filter((id) => payload.fields[id] !== '');
}

function newDeal(delivery: Delivery, fields: readonly Field[], zone: string): NewDeal {
  const payload = payloadOf(delivery);
  const company = payload.companyKey === undefined ? undefined : Number(delivery.ids.get(payload.companyKey));
  return {
    requestId: String(delivery.row.id),
    name: payload.name,
    price: payload.price,
    ...(payload.pipelineId === undefined ? {} : { pipelineId: payload.pipelineId }),
    ...(payload.statusId === undefined ? {} : { statusId: payload.statusId }),
    ...(payload.lossReasonId === undefined ? {} : { lossReasonId: payload.lossReasonId }),
    ...(payload.responsibleUserId === undefined ? {} : { responsibleUserId: payload.responsibleUserId }),
    fields: fieldWrites(payload.fields, fieldIds(payload), fields, zone),
    tags: payload.tags,
    contactIds: contactIdsOf(delivery),
    ...(company === undefined ? {} : { companyId: company }),
  };
}

/** The main contact first. Two keys may stand for one contact, which a deal takes once. */
function contactIdsOf(delivery: Delivery): number[] {
  return [...new Set(contactKeysOf(payloadOf(delivery)).map((key) => Number(delivery.ids.get(key))))];
}

function contactKeysOf({ companyKey, ...payload }: DealPayload): string[] {
  return peopleKeys(payload);
}

/** Keys of the people that a refusal names: by their place among those that were sent, else all of them. */
function goneKeys(delivery: Delivery, faults: readonly ValidationError[]): string[] {
  const payload = payloadOf(delivery);
  const gone = new Set<string>();
  for (const { requestId, path } of faults) {
    const [, whom, place] = /^_embedded\.(contacts|companies)(?:\.(\d+))?/.exec(path) ?? [];
    if (requestId !== String(delivery.row.id) || whom === undefined) continue;
    const id = place === undefined ? undefined : contactIdsOf(delivery)[Number(place)];
    const contacts = contactKeysOf(payload).filter((key) => id === undefined || Number(delivery.ids.get(key)) === id);
    for (const key of whom === 'contacts' ? contacts : [payload.companyKey]) if (key !== undefined) gone.add(key);
  }
  return [...gone];
}

function groupedBy(
  deliveries: readonly Delivery[],
  textOf: (payload: DealPayload) => string | undefined,
): Map<string, Delivery[]> {
  const groups = new Map<string, Delivery[]>();
  for (const delivery of deliveries) {
    const text = textOf(payloadOf(delivery))?.trim();
    if (text !== undefined) groups.set(text, [...(groups.get(text) ?? []), delivery]);
  }
  return groups;
}

/** Texts of a deal that may be an external id that is looked for: field values, and the words of its name. */
function externalIds(deal: Deal, deliveries: readonly Delivery[]): Set<string> {
  const fieldId = deliveries.map((delivery) => payloadOf(delivery).externalField).find((id) => id !== undefined);
  const inField = deal.fields
    .filter((field) => field.fieldId === fieldId)
    .flatMap((field) => field.values.map(({ value }) => String(value ?? '').trim()));
  return new Set([...inField, ...deal.name.split(/[^\p{L}\p{N}-]+/u)]);
}

/** The field decides where the mapping names one and it is filled; the name does for deals made without it. */
function isTheSame(deal: Deal, delivery: Delivery): boolean {
  const payload = payloadOf(delivery);
  if (deal.isDeleted) return false;
  if (payload.exactName) return deal.createdAt * 1000 >= delivery.since.getTime();
  const filled = deal.fields.find((field) => field.fieldId === payload.externalField);
  if (filled) return filled.values.some(({ value }) => String(value ?? '').trim() === payload.externalId);
  return deal.name.split(/[^\p{L}\p{N}-]+/u).includes(payload.externalId);
}

function leftOutNote(delivery: Delivery, what: string, code: string) {
  const [, , system = '', id = ''] = delivery.row.key.split(':');
  const text = `amoCRM: ${what} — ${code}. sdelka: left out / не передано.`;
  const name = `left-out-${what.replace(/\W+/g, '-')}`;
  return noteEffect({ system, id }, delivery.row.record, name, text, true);
}

function describe(payload: DealPayload): Record<string, Json> {
  const { name, price, pipelineId, statusId, lossReasonId, responsibleUserId, tags, fields } = payload;
  const shown = { name, price, pipelineId, statusId, lossReasonId, responsibleUserId, tags, fields };
  return JSON.parse(JSON.stringify(shown)) as Record<string, Json>;
}
