import { createHash } from 'node:crypto';
import type { OnecMapping } from '../config/mapping-onec-types.ts';
import type { Effect, RecordRef } from '../domain/effect.ts';
import type { OnecDocument } from '../domain/onec.ts';
import { pipelineFor, type StatePlace, stageFor, stagesOf } from '../domain/onec-status.ts';
import { documentValues, foldName } from '../domain/onec-text.ts';
import { renderTemplate } from '../domain/template.ts';
import { type DealPayload, type DealState, keys, noteEffect, type Source } from '../systems/amocrm/effects/payloads.ts';
import { fromLocal } from '../systems/onec/time.ts';
import { type ClientOptions, clientKey } from './onec-export-client.ts';
import { type GoodsOptions, quantitiesOf } from './onec-export-goods.ts';

/** What `failed` and `explain` call a document of 1C; its key is the reference. */
export const DOCUMENT_RECORD = 'onec-doc';

/** What planning a document needs beside the document. */
export interface DocumentOptions extends ClientOptions, GoodsOptions {
  mapping: OnecMapping;
  /** Where deals go whose state has no row. */
  pipelineId: number | undefined;
  statusId: number | undefined;
  /** IANA name of the zone of 1C's dates. */
  zone: string;
  /** The start of the pass. */
  now: Date;
  /** A first back-fill: its notes must not set off automations. */
  backfill: boolean;
}

/** A document dated ahead of the clock may have got its deal this long before, when the database was another one. */
const POST_DATED_MS = 7 * 86_400_000;
/** amoCRM shows no longer names than this of a deal (API v4, leads; seen in interface). */
const NAME_LENGTH = 250;

/** The rows of the mapping have no stage for the document's state; undefined where they have, or the document has no state. */
export function stagelessState(document: OnecDocument, { mapping }: Pick<DocumentOptions, 'mapping'>) {
  const place = placeOf(document);
  if (place.state === undefined || stageFor(mapping.statuses, place) !== undefined) return undefined;
  const subject = stateSubject(place.state);
  return { subject, message: `onec.statuses: no row for the state "${place.state}"; deals keep their stage` };
}

/** What alerts of a state are about. */
export function stateSubject(state: string): string {
  return `onec.statuses:${foldName(state)}`;
}

/** What the deal of an unchanged document holds, as links keep it; `shown`: the stage in which it stands. */
export function agreedState(
  document: OnecDocument,
  shown: Pick<DealState, 'pipelineId' | 'statusId'>,
  options: DocumentOptions,
): DealState {
  const fields = withoutEmpty(fieldTexts(document, options.mapping));
  return { price: priceOf(document), ...stageWanted(document, shown, options), tags: [], fields };
}

export function sourceOf({ ref }: { ref: string }): Source {
  return { system: 'onec', id: ref };
}

export function recordOf({ ref }: { ref: string }): RecordRef {
  return { kind: DOCUMENT_RECORD, key: ref };
}

export function placeOf({ state, organization, department }: OnecDocument): StatePlace {
  return {
    state: state?.name === '' ? undefined : state?.name,
    organization: organization?.name,
    department: department?.name,
  };
}

/** The earliest moment at which something of ours can have been made for the document. */
export function sinceOf(document: OnecDocument, { zone, now }: DocumentOptions): string {
  const dated = fromLocal(document.date, zone);
  const isPast = !Number.isNaN(dated.getTime()) && dated <= now;
  return (isPast ? dated : new Date(now.getTime() - POST_DATED_MS)).toISOString();
}

/** amoCRM's budget is in whole units (API v4, leads). */
function priceOf({ amountMinor }: OnecDocument): number {
  return Math.round(amountMinor / 100);
}

export function dealOf(document: OnecDocument, since: string, options: DocumentOptions): DealPayload {
  const { client, user } = document;
  const { mapping } = options;
  const goods = quantitiesOf(document, options);
  const name = renderTemplate(mapping.export.names[document.type], documentValues(document));
  const responsible = userOf(user?.name, mapping.users) ?? options.responsibleUserId;
  return {
    name: name.replace(/\s+/g, ' ').slice(0, NAME_LENGTH).trim(),
    price: priceOf(document),
    ...newStage(document, options),
    ...(responsible === undefined ? {} : { responsibleUserId: responsible }),
    tags: [],
    fields: withoutEmpty(fieldTexts(document, mapping)),
    ...(client === undefined
      ? {}
      : // A company's people hang on the company alone: none of them may hold the deal up.
        { [client.kind === 'company' ? 'companyKey' : 'contactKey']: clientKey(client) }),
    externalId: document.number,
    exactName: true,
    // Without lists it has none yet; once they are there, the document's next change brings them.
    goods: goods ?? {},
    goodsKey: keys.dealGoods(sourceOf(document)),
    since,
  };
}

function userOf(name: string | undefined, users: OnecMapping['users']): number | undefined {
  if (name === undefined) return undefined;
  return Object.entries(users).find(([other]) => foldName(other) === foldName(name))?.[1];
}

/** Without a row: the first stage of the pipeline, which amoCRM takes by itself where none is named. */
function newStage(document: OnecDocument, options: DocumentOptions): Pick<DealPayload, 'pipelineId' | 'statusId'> {
  const rows = options.mapping.statuses;
  const place = placeOf(document);
  const row = stageFor(rows, place) ?? pipelineFor(rows, place);
  if (row !== undefined) return { pipelineId: row.pipeline, ...(row.status > 0 ? { statusId: row.status } : {}) };
  const pipelineId = options.pipelineId ?? (options.statusId === undefined ? rows[0]?.pipeline : undefined);
  return {
    ...(pipelineId === undefined ? {} : { pipelineId }),
    ...(options.statusId === undefined ? {} : { statusId: options.statusId }),
  };
}

/** The stage that was asked for last stays where it stands for the document's state, or where the state has no row. */
function stageWanted(
  document: OnecDocument,
  last: Pick<DealState, 'pipelineId' | 'statusId'>,
  { mapping }: DocumentOptions,
): Pick<DealState, 'pipelineId' | 'statusId'> {
  const equal = stagesOf(mapping.statuses, placeOf(document));
  const stays = equal.some(({ pipeline, status }) => pipeline === last.pipelineId && status === last.statusId);
  const row = stays ? undefined : stageFor(mapping.statuses, placeOf(document));
  if (row !== undefined) return { pipelineId: row.pipeline, statusId: row.status };
  return {
    ...(last.pipelineId === undefined ? {} : { pipelineId: last.pipelineId }),
    ...(last.statusId === undefined ? {} : { statusId: last.statusId }),
  };
}

/** The text of every field that the mapping names; '' where the document has none, or where it goes into a note. */
export function fieldTexts(document: OnecDocument, mapping: OnecMapping): Record<string, string> {
  const { fields } = mapping;
  const texts: [number | undefined, string][] = [
    [fields.number, document.number],
    [fields.recommendations, isLong(document, mapping) ? '' : document.recommendations],
    [fields.car, document.car],
    [fields.comment, document.comment],
    [fields.recommendedParts, document.recommendedParts],
    [fields.reason, document.reason],
  ];
  return Object.fromEntries(texts.flatMap(([id, text]) => (id === undefined ? [] : [[String(id), text.trim()]])));
}

function withoutEmpty(fields: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, text]) => text !== ''));
}

function isLong({ recommendations }: OnecDocument, mapping: OnecMapping): boolean {
  return mapping.fields.recommendations !== undefined && recommendations.trim().length > mapping.export.longTextOver;
}

/** The name of the note of the document's long recommendations; it tells one text from another. */
export function noteName(document: OnecDocument, { mapping }: Pick<DocumentOptions, 'mapping'>): string | undefined {
  if (!isLong(document, mapping)) return undefined;
  const hash = createHash('sha256').update(document.recommendations.trim()).digest('hex').slice(0, 8);
  return `recommendations-${hash}`;
}

export function noteOf(document: OnecDocument, options: DocumentOptions): Effect[] {
  const name = noteName(document, options);
  if (name === undefined) return [];
  const text = document.recommendations.trim();
  return [noteEffect(sourceOf(document), recordOf(document), name, text, options.backfill)];
}

/** Fields that were filled by us and are empty now are asked to be emptied; fields that never had a text are not named. */
export function dealWanted(document: OnecDocument, planned: DealState, options: DocumentOptions): DealState {
  const texts = Object.entries(fieldTexts(document, options.mapping));
  const fields = Object.fromEntries(texts.filter(([id, text]) => text !== '' || id in planned.fields));
  return { price: priceOf(document), ...stageWanted(document, planned, options), tags: [], fields };
}
