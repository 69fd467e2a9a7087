import type { RemoteError } from '../../../base/remote-error.ts';
import type { Json } from '../../../base/schema.ts';
import type { Delivery, EffectHandler, Found, Look, Outcome, Report } from '../../../domain/handler.ts';
import type { AmocrmClient } from '../client.ts';
import type { AmoMemory } from '../memory.ts';
import type { Deal, Field, Pipeline } from '../schema.ts';
import type { DealChange } from '../write.ts';
import { blame } from './blame.ts';
import { fieldValue, fieldWrites } from './field-values.ts';
import { type DealState, type DealUpdatePayload, KINDS } from './payloads.ts';
import { conflictReport, goneReport } from './reports.ts';

const DAY_MS = 86_400_000;
/** Won and lost; they stand in every pipeline with these ids (API v2 documents, leads). */
const FINAL: readonly number[] = [142, 143];

export interface DealUpdateOptions {
  client: AmocrmClient;
  memory: AmoMemory;
  zone: string;
}

interface Patch {
  change: Omit<DealChange, 'id'>;
  reports: Report[];
}

/** Changes of deals that stand: read first, so that what a person has changed is reported and not overwritten. */
export function dealUpdateHandler({ client, memory, zone }: DealUpdateOptions): EffectHandler {
  const patches = new Map<number, Patch>();
  const dealFields = () => memory.cached<Field[]>('amocrm:fields:deals', DAY_MS, () => client.listFields('deals'));
  const pipelines = () => memory.cached<Pipeline[]>('amocrm:pipelines', DAY_MS, () => client.listPipelines());

  async function known(deliveries: readonly Delivery[]): Promise<Map<number, Found>> {
    const deals = await client.dealsByIds(deliveries.map(dealIdOf));
    const fields = await dealFields();
    const stages = await pipelines();
    const settled = new Map<number, Found>();
    for (const delivery of deliveries) {
      const deal = deals.get(dealIdOf(delivery));
      if (!deal) {
        settled.set(delivery.row.id, asFound(delivery, [goneReport(delivery, dealIdOf(delivery))]));
        continue;
      }
      const patch = patchOf(deal, delivery, { fields, stages, zone });
      if (Object.keys(patch.change).length === 0) settled.set(delivery.row.id, asFound(delivery, patch.reports));
      else patches.set(delivery.row.id, patch);
    }
    return settled;
  }

  async function send(deliveries: readonly Delivery[], onSend: () => Promise<void>): Promise<Map<number, Outcome>> {
    const changes = deliveries
      .map((delivery) => ({ id: dealIdOf(delivery), ...patches.get(delivery.row.id)?.change }))
      .filter((change) => Object.keys(change).length > 1);
    const written = changes.length > 0 ? await client.updateDeals(changes, onSend) : new Set<number>();
    const asked = new Set(changes.map(({ id }) => id));
    const outcomes = new Map<number, Outcome>();
    for (const delivery of deliveries) {
      const id = dealIdOf(delivery);
      // Nothing may be left of a change once what was refused is out of it.
      if (asked.has(id) && !written.has(id)) continue;
      const reports = patches.get(delivery.row.id)?.reports ?? [];
      outcomes.set(delivery.row.id, { state: 'done', ...asFound(delivery, reports) });
    }
    return outcomes;
  }

  /** A change is true when reading the deal leaves nothing to change. */
  async function look(deliveries: readonly Delivery[]): Promise<Map<number, Look>> {
    const found = await known(deliveries);
    return new Map(
      deliveries.map(({ row }): [number, Look] => {
        const one = found.get(row.id);
        return [row.id, one ? { state: 'found', ...one } : { state: 'absent' }];
      }),
    );
  }

  /** What the account does not accept is left out of the change, too, so that the rest of it is written. */
  function judge(error: RemoteError, deliveries: readonly Delivery[]): Map<number, Outcome> {
    // Items are counted as they were sent.
    const sent = deliveries.filter(({ row }) => Object.keys(patches.get(row.id)?.change ?? {}).length > 0);
    const sourced = new Set(sent.filter((delivery) => payloadOf(delivery).sourceWins).map(({ row }) => row.id));
    const wanted = sent.map((delivery) => ({
      ...delivery,
      row: { ...delivery.row, payload: payloadOf(delivery).to as unknown as Json },
    }));
    const outcomes = blame(error, wanted, {
      fields: ({ row }) => (patches.get(row.id)?.change.fields ?? []).map(({ fieldId }) => String(fieldId)),
      stage: ({ row }) => sourced.has(row.id),
      extra: () => [],
    });
    for (const delivery of sent) {
      const outcome = outcomes.get(delivery.row.id);
      const patch = patches.get(delivery.row.id);
      if (outcome?.state !== 'amended' || !patch) continue;
      const to = outcome.payload as unknown as DealState;
      patches.set(delivery.row.id, { ...patch, change: without(patch.change, to) });
      const payload = { ...payloadOf(delivery), to } as unknown as Json;
      outcomes.set(delivery.row.id, { ...outcome, payload });
    }
    return outcomes;
  }

  return {
    kind: KINDS.dealUpdate,
    batch: 50,
    counts: 'updated',
    known,
    send,
    look,
    judge,
    describe: (payload) => (payload as DealUpdatePayload).to as unknown as Record<string, Json>,
  };
}

function payloadOf(delivery: Delivery): DealUpdatePayload {
  return delivery.row.payload as DealUpdatePayload;
}

function dealIdOf(delivery: Delivery): number {
  return Number(delivery.ids.get(payloadOf(delivery).dealKey));
}

function asFound(delivery: Delivery, reports: readonly Report[]): Found {
  const { dealKey, to } = payloadOf(delivery);
  const remoteId = String(dealIdOf(delivery));
  return { remoteId, links: [{ key: dealKey, kind: KINDS.deal, remoteId, applied: to as unknown as Json }], reports };
}

function without(change: Patch['change'], to: DealState): Patch['change'] {
  const { fields, lossReasonId, statusId, pipelineId, ...rest } = change;
  const left = fields?.filter(({ fieldId }) => String(fieldId) in to.fields) ?? [];
  return {
    ...rest,
    ...(left.length > 0 ? { fields: left } : {}),
    ...(lossReasonId === undefined || to.lossReasonId === undefined ? {} : { lossReasonId }),
    // A stage goes along with its pipeline or not at all.
    ...(statusId === undefined || pipelineId === undefined || to.statusId === undefined
      ? {}
      : { statusId, pipelineId }),
  };
}

/** What is known of the account. */
interface Account {
  fields: readonly Field[];
  stages: readonly Pipeline[];
  /** IANA name: dates in the mapping's texts are local. */
  zone: string;
}

function patchOf(deal: Deal, delivery: Delivery, account: Account): Patch {
  const payload = payloadOf(delivery);
  const { to, ours, sourceWins } = payload;
  const reports: Report[] = [];
  const conflict = (what: string) => reports.push(conflictReport(delivery, dealIdOf(delivery), what));
  const change: Omit<DealChange, 'id'> = {};
  if (deal.price !== to.price) {
    const isOurs = ours.some((state) => state.price === deal.price);
    if (sourceWins ? ours.at(-1)?.price !== to.price : isOurs) change.price = to.price;
    else if (!sourceWins && ours.at(-1)?.price !== to.price) conflict('the budget');
  }
  Object.assign(
    change,
    stageChange(deal, payload, account.stages, () => conflict('the stage')),
  );
  Object.assign(change, tagChange(deal, to, ours));
  const fieldIds = sourceWins
    ? fieldsOfSource(deal, payload, account)
    : changedFields(deal, to, ours, account, (id) => conflict(`field ${id}`));
  if (fieldIds.length > 0) {
    const filled = fieldIds.filter((id) => to.fields[id] !== '');
    const cleared = fieldIds.filter((id) => to.fields[id] === '');
    change.fields = [
      ...fieldWrites(to.fields, filled, account.fields, account.zone),
      ...cleared.map((id) => ({ fieldId: Number(id), values: null })),
    ];
  }
  return { change, reports };
}

/**
 * Facts of the order's end go through wherever a person has put the deal; any other stage gives way to the person's, unless
 * the source is the master.
 */
function stageChange(
  deal: Deal,
  { to, ours, neverBack, afterFinal, equalStages = [], sourceWins }: DealUpdatePayload,
  pipelines: readonly Pipeline[],
  conflict: () => void,
): Omit<DealChange, 'id'> {
  const { statusId, pipelineId } = to;
  if (statusId === undefined) return {};
  const same = deal.statusId === statusId && (pipelineId === undefined || deal.pipelineId === pipelineId);
  const before = ours.at(-1);
  if (same || (before?.statusId === statusId && before.pipelineId === pipelineId)) return {};
  if (equalStages.some((one) => one.statusId === deal.statusId && one.pipelineId === deal.pipelineId)) return {};
  const toFinal = FINAL.includes(statusId);
  const stage = {
    statusId,
    pipelineId: pipelineId ?? deal.pipelineId,
    ...(to.lossReasonId === undefined ? {} : { lossReasonId: to.lossReasonId }),
  };
  if (sourceWins) return stage;
  const byPerson = !ours.some((state) => state.statusId === deal.statusId);
  if (FINAL.includes(deal.statusId) && !afterFinal && neverBack) return {};
  if (byPerson && !toFinal) {
    conflict();
    return {};
  }
  const goesBack =
    !toFinal &&
    !afterFinal &&
    orderOf(pipelines, deal) > orderOf(pipelines, { pipelineId: pipelineId ?? deal.pipelineId, statusId });
  return neverBack && goesBack ? {} : stage;
}

function orderOf(pipelines: readonly Pipeline[], place: { pipelineId: number; statusId: number }): number {
  const statuses = pipelines.find((pipeline) => pipeline.id === place.pipelineId)?.statuses ?? [];
  return statuses.find((status) => status.id === place.statusId)?.sort ?? 0;
}

/** Only tags that we have put there are taken away; adding and deleting are idempotent. */
function tagChange(deal: Deal, to: DealState, ours: readonly DealState[]): Omit<DealChange, 'id'> {
  const present = new Set(deal.tags.map((tag) => tag.name.toLowerCase()));
  const wanted = new Set(to.tags.map((tag) => tag.toLowerCase()));
  const before = ours.at(-1)?.tags ?? [];
  const add = to.tags.filter((tag) => !present.has(tag.toLowerCase()) && !before.includes(tag));
  const old = new Set(ours.flatMap((state) => state.tags));
  const remove = [...old].filter((tag) => present.has(tag.toLowerCase()) && !wanted.has(tag.toLowerCase()));
  return { ...(add.length > 0 ? { tagsToAdd: add } : {}), ...(remove.length > 0 ? { tagsToDelete: remove } : {}) };
}

function changedFields(
  deal: Deal,
  to: DealState,
  ours: readonly DealState[],
  { fields, zone }: Account,
  conflict: (id: string) => void,
): string[] {
  return Object.entries(to.fields).flatMap(([id, text]) => {
    const before = ours.at(-1)?.fields[id] ?? '';
    if (text === '' || text === before) return [];
    const shown = shownText(deal, id);
    const description = fields.find((field) => String(field.id) === id);
    const same = (other: string) => sameValue(shown, other, description, zone);
    if (same(text)) return [];
    if (shown === '' || ours.some((state) => same(state.fields[id] ?? ''))) return [id];
    conflict(id);
    return [];
  });
}

/**
 * What the source has changed since the last time, whatever stands there now; what it has not changed stays a person's. A
 * text that the source has emptied is cleared where it is still ours.
 */
function fieldsOfSource(deal: Deal, { to, ours }: DealUpdatePayload, { fields, zone }: Account): string[] {
  return Object.entries(to.fields).flatMap(([id, text]) => {
    if (text === (ours.at(-1)?.fields[id] ?? '')) return [];
    const shown = shownText(deal, id);
    const description = fields.find((field) => String(field.id) === id);
    const isShown = (other: string) => sameValue(shown, other, description, zone);
    if (text !== '') return isShown(text) ? [] : [id];
    return shown !== '' && ours.some((state) => isShown(state.fields[id] ?? '')) ? [id] : [];
  });
}

function shownText(deal: Deal, id: string): string {
  const filled = deal.fields.find((field) => String(field.fieldId) === id);
  return String(filled?.values[0]?.value ?? '').trim();
}

function sameValue(shown: string, text: string, field: Field | undefined, zone: string): boolean {
  return shown === text || shown === String(fieldValue(text, field, zone).value ?? text);
}
