import type { OnecStatusRow } from '../config/mapping-onec-types.ts';
import type { LinkState, RecordRef } from '../domain/effect.ts';
import type { OnecDocumentType, OnecRef } from '../domain/onec.ts';
import { statesFor } from '../domain/onec-status.ts';
import { foldName } from '../domain/onec-text.ts';
import { RecordFault } from '../domain/record-fault.ts';
import type { Change } from '../runner/sink.ts';
import {
  type DocumentState,
  KINDS,
  keys,
  type MarkPayload,
  onecEffect,
  type StatePayload,
} from '../systems/onec/effects/payloads.ts';
import type { DealFacts, ImportOptions } from './onec-import-deal.ts';

/** What `failed` and `explain` call a deal. */
export const LEAD_RECORD = 'lead';
/** A lost deal stands here in every pipeline (amoCRM, API v4). */
const LOST = 143;
/** Where a work order can be written without being posted (seen in Alfa-Auto 6.1). */
const BORN_IN = 'Заявка';

/** The link of a deal's document also keeps whose it is, since that decides which row of a stage is meant. */
export type PlannedState = DocumentState & { organization?: string; department?: string };

/** The state effect of a document that this import makes; later changes are revisions of the document's link. */
export function firstStateKey(dealId: number): string {
  return `onec:state:amocrm:${dealId}`;
}

/** The row that says which state a deal's stage asks for; undefined: the stage has none. */
export function rowOf(
  deal: Pick<DealFacts, 'pipelineId' | 'statusId'>,
  rows: readonly OnecStatusRow[],
): OnecStatusRow | undefined {
  return statesFor(rows, { pipeline: deal.pipelineId, status: deal.statusId })[0];
}

/** Whether a deal at this stage gets a document where it has none; a lost one does not. */
export function isImported(deal: Pick<DealFacts, 'pipelineId' | 'statusId'>, rows: readonly OnecStatusRow[]): boolean {
  return deal.statusId !== LOST && rowOf(deal, rows) !== undefined;
}

/** The state by the name that the table of stages gives it, or by its predefined name. */
function stateOf(name: string, { states }: ImportOptions): OnecRef | undefined {
  const direct = states.get(name.trim().toLowerCase());
  if (direct !== undefined) return direct;
  const folded = foldName(name);
  return [...states].find(([known]) => foldName(known) === folded)?.[1];
}

export interface Target {
  name: string;
  ref: string;
}

export function targetOf({ state, organization, department }: OnecStatusRow, options: ImportOptions): Target {
  const name = state ?? '';
  const found = stateOf(name, options);
  if (found === undefined) throw new RecordFault(`onec.statuses: 1C has no state "${name}"`);
  for (const [given, known, word] of [
    [organization, options.refs.organizations, 'organisation'],
    [department, options.refs.departments, 'department'],
  ] as const) {
    if (given !== null && !known.has(foldName(given))) {
      throw new RecordFault(`onec.statuses: 1C has no ${word} "${given}"`);
    }
  }
  return { name: found.name, ref: found.ref };
}

/**
 * The state in which a document is born; undefined where it has no property for it. A work order in any other state than
 * Заявка would be posted by its first write, before the deal's id stands beside it (seen in Alfa-Auto 6.1).
 */
export function birthState(type: OnecDocumentType, target: Target, options: ImportOptions): Target | undefined {
  if (options.mapping.documents[type]?.state?.kind !== 'field') return undefined;
  if (type === 'customerOrder') return target;
  const born = stateOf(BORN_IN, options);
  return born === undefined ? target : { name: born.name, ref: born.ref };
}

/** What decides on a deal whose document stands. */
export type StagedDeal = Pick<DealFacts, 'dealId' | 'pipelineId' | 'statusId'>;

/** Rows that may speak for a document: its own where it is known whose it is, else all of the stage. */
function rowsFor(deal: StagedDeal, { organization, department }: PlannedState, rows: readonly OnecStatusRow[]) {
  const at = { pipeline: deal.pipelineId, status: deal.statusId, organization, department };
  const fitting = statesFor(rows, at);
  return organization === undefined && department === undefined ? fitting : fitting.slice(0, 1);
}

/** Whether the names alone tell that the stage asks for nothing new; so most deals are settled without a word to 1C. */
export function asksNothing(deal: StagedDeal, { planned }: LinkState, rows: readonly OnecStatusRow[]): boolean {
  const document = planned as PlannedState | null;
  if (document === null) return true;
  const fitting = rowsFor(deal, document, rows);
  return fitting.length === 0 || fitting.some(({ state }) => foldName(state ?? '') === foldName(document.state));
}

/** The state that the deal's stage asks of its document; undefined: the one that it has, or none. */
export function wantedState(deal: StagedDeal, link: LinkState, options: ImportOptions): Target | undefined {
  const planned = link.planned as PlannedState | null;
  if (planned === null) return undefined;
  const rows = rowsFor(deal, planned, options.mapping.statuses);
  const refOf = (name: string) => stateOf(name, options)?.ref ?? foldName(name);
  const now = refOf(planned.state);
  if (rows[0] === undefined || rows.some(({ state }) => refOf(state ?? '') === now)) return undefined;
  return targetOf({ ...rows[0], organization: null, department: null }, options);
}

/** What a document of a deal was last found to hold; the links know what was asked for. */
export interface Surroundings {
  links: ReadonlyMap<string, LinkState>;
  /** The name of the state that 1C shows, where it was read. */
  shown: string | undefined;
}

/**
 * What a deal's new stage changes in its document: the state alone, and the date of the exchange. 1C's own change of the
 * state is recognised, and respected, right before the write.
 */
export function planStateChanges(deal: StagedDeal, around: Surroundings, options: ImportOptions): Change[] {
  const link = around.links.get(keys.document(deal.dealId));
  const change = link && planStateChange(deal, link, around, options);
  if (link === undefined || change === undefined) return [];
  const mark = around.links.get(keys.mark(keys.document(deal.dealId)));
  return mark === undefined ? [change] : [change, markChange(deal, link, mark, change.effect?.key, options)];
}

/** Undefined: the stage asks for the state that was last agreed on, or for none. */
export function planStateChange(
  deal: StagedDeal,
  link: LinkState,
  { links, shown }: Surroundings,
  options: ImportOptions,
): Change | undefined {
  const to = wantedState(deal, link, options);
  if (to === undefined) return undefined;
  const applied = link.applied as DocumentState | null;
  const planned = link.planned as PlannedState;
  const { type } = planned;
  const revision = link.revision + 1;
  const next: PlannedState = { ...planned, state: to.name };
  const firstKey = firstStateKey(deal.dealId);
  const revises = { link: link.key, revision, planned: { ...next }, supersedes: [firstKey] };
  const sameAs = (name: string | undefined) => name !== undefined && stateOf(name, options)?.ref === to.ref;
  // 1C has it already: an export has told amoCRM of it. The change before, if any, was never begun and is superseded.
  if (link.underWay === undefined && sameAs(shown)) return { revises, effect: undefined };
  const asked = (link.underWay?.payload as StatePayload | undefined)?.to.name;
  const first = !links.has(firstKey);
  const born = first ? birthState(type, to, options)?.name : undefined;
  const ours = [applied?.state, planned.state, asked, born].filter((name) => name !== undefined);
  const payload: StatePayload = {
    ...{ documentKey: link.key, type, to, ours: [...new Set(ours)] },
    // Until the first state is written, a state that 1C computes itself is nobody's choice.
    ...(first && options.mapping.documents[type]?.state?.kind === 'register' ? { first: true as const } : {}),
  };
  const needs = [link.key, ...(link.underWay === undefined ? [] : [link.underWay.key])];
  const record: RecordRef = { kind: LEAD_RECORD, key: String(deal.dealId) };
  return {
    revises,
    effect: { ...onecEffect(KINDS.state, `${link.key}#${revision}`, record, needs, payload), revises },
  };
}

/**
 * The date of the change, on a link of its own; it needs the change, and waits with it. Where nothing is to be written, the
 * dates of changes that were not begun are withdrawn with them.
 */
function markChange(
  deal: StagedDeal,
  link: LinkState,
  mark: LinkState,
  stateKey: string | undefined,
  { mapping, localNow }: ImportOptions,
): Change {
  const revision = mark.revision + 1;
  const revises = { link: mark.key, revision, planned: { updatedAt: localNow } };
  if (stateKey === undefined) return { revises, effect: undefined };
  const payload: MarkPayload = {
    set: mapping.documents[(link.planned as PlannedState).type]?.set ?? '',
    objectKey: link.key,
    updatedAt: true,
    notBefore: localNow,
  };
  const record: RecordRef = { kind: LEAD_RECORD, key: String(deal.dealId) };
  const needs = [link.key, stateKey, ...(mark.underWay === undefined ? [] : [mark.underWay.key])];
  return { revises, effect: { ...onecEffect(KINDS.mark, `${mark.key}#${revision}`, record, needs, payload), revises } };
}
