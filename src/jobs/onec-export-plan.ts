import type { Effect, LinkState, Plan, RecordRef } from '../domain/effect.ts';
import type { OnecDocument } from '../domain/onec.ts';
import { stagesOf } from '../domain/onec-status.ts';
import { foldName } from '../domain/onec-text.ts';
import type { Change } from '../runner/sink.ts';
import {
  type DealGoodsPayload,
  type DealState,
  type DealUpdatePayload,
  dealEffect,
  dealGoodsEffect,
  dealUpdateEffect,
  type Goods,
  keys,
} from '../systems/amocrm/effects/payloads.ts';
import {
  type IdPayload,
  type MarkPayload,
  KINDS as ONEC_KINDS,
  onecEffect,
  keys as onecKeys,
} from '../systems/onec/effects/payloads.ts';
import { clientEffects } from './onec-export-client.ts';
import {
  type DocumentOptions,
  dealOf,
  dealWanted,
  noteOf,
  placeOf,
  recordOf,
  sinceOf,
  sourceOf,
} from './onec-export-deal.ts';
import { elementEffects, linkEffects, quantitiesOf } from './onec-export-goods.ts';

/** What is known of a document whose deal stands, beside its links. */
export interface DocumentHistory {
  /** Both sides agree by 1C's own dates, and it was never compared here: what it says is what was last asked for. */
  baseline?: boolean;
  /** The state that an import has written since an export last saw the document, by name. */
  importedState?: string;
  /** The note of its present long text was made. */
  noted?: boolean;
}

/**
 * A new document as amoCRM shall hold it: client, goods, deal, links, a note for long recommendations; then, at 1C, the ids
 * of what was made and last the date of the exchange. Pure; the keys name the document, never its state.
 */
export function planDocument(document: OnecDocument, options: DocumentOptions): Plan {
  const source = sourceOf(document);
  const record = recordOf(document);
  const { client } = document;
  const since = sinceOf(document, options);
  const effects: Effect[] = [
    ...(client === undefined ? [] : clientEffects(client, record, { since, carId: document.carId }, options)),
    ...elementEffects(document, record, options),
    dealEffect(source, record, dealOf(document, since, options)),
    ...linkEffects(document, source, record, options),
    ...noteOf(document, options),
    leadIdEffect(document, record, options),
  ];
  const needs = [keys.deal(source), onecKeys.id(document.ref)];
  effects.push(onecEffect(ONEC_KINDS.mark, onecKeys.mark(document.ref), record, needs, markOf(document, options)));
  return { record, effects, since };
}

/**
 * What has to change of a document whose deal stands: the deal, its goods, and then the date of the exchange at 1C. Compared
 * with what was last asked for; what people have done to the deal is read right before a change is sent.
 */
export function planDocumentChanges(
  document: OnecDocument,
  links: ReadonlyMap<string, LinkState>,
  options: DocumentOptions,
  history: DocumentHistory = {},
): Change[] {
  const source = sourceOf(document);
  const deal = links.get(keys.deal(source));
  const goods = links.get(keys.dealGoods(source));
  const changes = [
    deal === undefined ? undefined : dealChange(document, deal, options, history),
    goods === undefined ? undefined : goodsChange(document, goods, options, history),
  ].filter((change) => change !== undefined);
  const mark = links.get(onecKeys.mark(document.ref));
  if (mark === undefined || history.baseline) return changes;
  if (changes.length === 0 && !isMarkOld(document)) return [];
  return [...changes, markChange(document, mark, changes, options)];
}

/** Whether 1C's dates say that what stands there was exchanged. Without a date of writing the date of exchange is trusted. */
export function isExchanged(document: OnecDocument): boolean {
  return document.marks.exportedAt !== undefined && !isMarkOld(document);
}

function isMarkOld(document: OnecDocument): boolean {
  const writtenAt = writtenAtOf(document);
  return writtenAt !== undefined && (document.marks.exportedAt ?? '') < writtenAt;
}

function writtenAtOf(document: OnecDocument): string | undefined {
  return document.writtenAt ?? document.marks.writtenAt;
}

function leadIdEffect(document: OnecDocument, record: RecordRef, options: DocumentOptions): Effect {
  const amoKey = keys.deal(sourceOf(document));
  const { amoId } = document.marks;
  const payload: IdPayload = {
    property: 'lead',
    set: setOf(document, options),
    object: document.ref,
    amoKey,
    ...(amoId === undefined ? {} : { current: amoId }),
  };
  return onecEffect(ONEC_KINDS.id, onecKeys.id(document.ref), record, [amoKey], payload);
}

function setOf({ type }: OnecDocument, { mapping }: DocumentOptions): string {
  return mapping.documents[type]?.set ?? '';
}

function markOf(document: OnecDocument, options: DocumentOptions): MarkPayload {
  const notBefore = writtenAtOf(document) ?? document.date;
  return { set: setOf(document, options), object: document.ref, exportedAt: true, notBefore };
}

const NEVER_ASKED: DealState = { price: Number.NaN, tags: [], fields: {} };

function dealChange(
  document: OnecDocument,
  link: LinkState,
  options: DocumentOptions,
  { baseline = false, importedState, noted = false }: DocumentHistory,
): Change | undefined {
  const planned = (link.planned as DealState | null) ?? NEVER_ASKED;
  const to = dealWanted(document, planned, options);
  const notes = noted || baseline ? [] : noteOf(document, options);
  if (!baseline && notes.length === 0 && sameState(planned, to)) return undefined;
  const revision = link.revision + 1;
  const applied = (link.applied as DealState | null) ?? undefined;
  const revises = { link: link.key, revision, planned: JSON.parse(JSON.stringify(to)) };
  const { underWay } = link;
  // Nothing is sent where both sides agree, or where a change that was never begun is taken back.
  const isThere = underWay === undefined && !link.interrupted && applied !== undefined && sameState(applied, to);
  if (baseline || isThere) return { revises, effect: undefined, extra: notes };
  const before = [
    ...(applied === undefined ? [] : [applied]),
    ...(underWay === undefined ? [] : [(underWay.payload as DealUpdatePayload).to]),
    // It may have taken effect before it broke off, so that going back to what was there before is a change.
    ...(underWay === undefined && link.interrupted ? [planned] : []),
  ];
  const isImported = importedState !== undefined && foldName(importedState) === foldName(document.state?.name ?? '');
  // A stage that came from the deal itself is nothing new to it: it may have gone on since.
  const ours = isImported ? before.map((state) => ({ ...state, ...stageIn(to) })) : before;
  const equalStages = stagesOf(options.mapping.statuses, placeOf(document)).map(({ pipeline, status }) => ({
    pipelineId: pipeline,
    statusId: status,
  }));
  const payload = { to, ours, neverBack: false, afterFinal: true, equalStages, sourceWins: true as const };
  const effect = dealUpdateEffect(sourceOf(document), recordOf(document), revision, payload, underWay?.key);
  return { revises, effect, extra: notes };
}

function stageIn({ pipelineId, statusId }: DealState): Pick<DealState, 'pipelineId' | 'statusId'> {
  return { ...(pipelineId === undefined ? {} : { pipelineId }), ...(statusId === undefined ? {} : { statusId }) };
}

/** Fields that the mapping names no more are not compared, since nothing can be said of them. */
function sameState(before: DealState, to: DealState): boolean {
  const ids = Object.keys(to.fields);
  return (
    before.price === to.price &&
    before.pipelineId === to.pipelineId &&
    before.statusId === to.statusId &&
    ids.every((id) => (before.fields[id] ?? '') === to.fields[id])
  );
}

function goodsChange(
  document: OnecDocument,
  link: LinkState,
  options: DocumentOptions,
  { baseline = false }: DocumentHistory,
): Change | undefined {
  const to = quantitiesOf(document, options);
  const { catalogId } = options;
  if (to === undefined || catalogId === undefined) return undefined;
  const planned = (link.planned as Goods | null) ?? {};
  const applied = (link.applied as Goods | null) ?? {};
  const { createItems } = options.mapping.export;
  // Goods that amoCRM lacked the last time may be there by now.
  const isComplete = createItems || baseline || Object.keys(to).every((identity) => identity in applied);
  if (sameGoods(planned, to) && isComplete) return undefined;
  const source = sourceOf(document);
  const record = recordOf(document);
  const revision = link.revision + 1;
  // Links that were not made yet would bring the old quantities.
  const supersedes = Object.keys(planned).map((identity) => keys.goodLink(source, identity));
  const revises = { link: link.key, revision, planned: to, supersedes };
  if (baseline) return { revises, effect: undefined };
  const { underWay } = link;
  const ours = [applied];
  if (underWay !== undefined) ours.push((underWay.payload as DealGoodsPayload).to);
  // Goods are taken off before they are put on with another quantity: a change that broke off in between leaves none.
  if (link.interrupted) ours.push({});
  const payload = { catalogId, to, ours, ...(createItems ? {} : { mayLack: true as const }) };
  const effect = dealGoodsEffect(source, record, revision, payload, underWay?.key);
  return { revises, effect, extra: elementEffects(document, record, options) };
}

function sameGoods(a: Goods, b: Goods): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}

/** The date of the exchange once more, after the changes that it vouches for. */
function markChange(
  document: OnecDocument,
  link: LinkState,
  changes: readonly Change[],
  options: DocumentOptions,
): Change {
  const revision = link.revision + 1;
  const payload = markOf(document, options);
  const needs = changes.flatMap(({ effect }) => (effect === undefined ? [] : [effect.key]));
  const previous = link.underWay === undefined ? [] : [link.underWay.key];
  const key = `${link.key}#${revision}`;
  return {
    revises: { link: link.key, revision, planned: { notBefore: payload.notBefore } },
    effect: onecEffect(ONEC_KINDS.mark, key, recordOf(document), [...needs, ...previous], payload),
  };
}
