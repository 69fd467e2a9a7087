import type { SandboxAnswer } from '../kit.ts';
import { hal, noContent, page, problem, selfLink } from './answers.ts';
import { type Batch, type Call, idParam, inAnswerOrder, readBatch, readSingle } from './batch.ts';
import { createCard, updateCard } from './card-apply.ts';
import { type CardDraft, parseCard } from './card-draft.ts';
import { listCards } from './card-list.ts';
import { cardWith, renderCard } from './card-render.ts';
import { addLink } from './link-write.ts';
import type { Card, EntityType } from './model.ts';
import type { Reader } from './reader.ts';
import { liveCard } from './world.ts';

/** What the routes of cards share: the kind that the path names. */
export function typeParam(call: Call): EntityType {
  const type = call.params.type;
  return type === 'contacts' || type === 'companies' ? type : 'leads';
}

export function getCards(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const listed = listCards(call, type);
  if ('refused' in listed) return listed.refused;
  const parts = cardWith(call);
  return page(call.request, type, listed.rows, (card) => renderCard(call, type, card, parts), call.world.options);
}

export function getCard(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const card = call.world.cards[type].get(idParam(call));
  const flagged = call.world.options.deletedById === 'flagged';
  if (!card || (card.is_deleted && !flagged)) return noContent();
  return hal(renderCard(call, type, card, cardWith(call)));
}

export function postCards(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const batch = readBatch(call, 250, (item) => parseCard(call.world, type, item));
  if ('refused' in batch) return batch.refused;
  const made = batch.items.map(({ draft, requestId }) => {
    const { id } = createCard(call.world, type, draft);
    return { id, request_id: requestId, _links: selfLink(call.request, `/api/v4/${type}/${id}`) };
  });
  return hal({
    _links: selfLink(call.request, call.request.path),
    _embedded: { [type]: inAnswerOrder(call.world, made) },
  });
}

interface Patch {
  before: Card;
  draft: CardDraft;
}

function parsePatch(call: Call, type: EntityType, item: Reader, id: number | undefined): Patch | undefined {
  const before = id === undefined ? undefined : liveCard(call.world, type, id);
  if (before) return { before, draft: parseCard(call.world, type, item, before) };
  item.fault('NotSupportedChoice', 'id', 'The value you selected is not a valid choice.');
  return undefined;
}

export function patchCards(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const batch: Batch<Patch> = readBatch(call, 250, (item) => parsePatch(call, type, item, item.integer('id')));
  if ('refused' in batch) return batch.refused;
  const done = batch.items.map(({ draft, requestId }) => ({ ...applyPatch(call, type, draft), request_id: requestId }));
  return hal({
    _links: selfLink(call.request, call.request.path),
    _embedded: { [type]: inAnswerOrder(call.world, done) },
  });
}

export function patchCard(call: Call): SandboxAnswer {
  const type = typeParam(call);
  const id = idParam(call);
  if (!liveCard(call.world, type, id)) return problem(404, 'Entity not found');
  const single = readSingle(call, (item) => parsePatch(call, type, item, id));
  return 'refused' in single ? single.refused : hal(applyPatch(call, type, single.draft));
}

function applyPatch(call: Call, type: EntityType, patch: Patch) {
  // Two items of one batch may name one card: the second builds on what the first left.
  const before = call.world.cards[type].get(patch.before.id) ?? patch.before;
  const { id, updated_at } = updateCard(call.world, type, before, patch.draft);
  return { id, updated_at, _links: selfLink(call.request, `/api/v4/${type}/${id}`) };
}

/** A card that a complex lead brings along: a draft of a new one, the id of a known one, or none. */
type Companion = { draft: CardDraft } | { id: number } | undefined;

interface ComplexDraft {
  lead: CardDraft;
  contact: Companion;
  company: Companion;
}

const COMPLEX_CAP = 50;
const COMPLEX_FIELDS = 40;

function parseCompanion(call: Call, type: EntityType, embedded: Reader | undefined): Companion {
  const [first, ...more] = embedded?.objects(type) ?? [];
  if (!first) return undefined;
  if (more.length > 0) embedded?.fault('InvalidType', type, 'This collection should contain exactly 1 element.');
  if (!first.has('id')) return { draft: parseCard(call.world, type, first) };
  const id = first.integer('id');
  if (id !== undefined && liveCard(call.world, type, id)) return { id };
  first.fault('NotSupportedChoice', 'id', 'The value you selected is not a valid choice.');
  return undefined;
}

function parseComplex(call: Call, item: Reader): ComplexDraft {
  const embedded = item.object('_embedded');
  const contact = parseCompanion(call, 'contacts', embedded);
  const company = parseCompanion(call, 'companies', embedded);
  const fields = item.raw('custom_fields_values');
  if (Array.isArray(fields) && fields.length > COMPLEX_FIELDS) {
    item.fault(
      'InvalidType',
      'custom_fields_values',
      `This collection should contain ${COMPLEX_FIELDS} elements or less.`,
    );
  }
  return { lead: parseCard(call.world, 'leads', item, undefined, true), contact, company };
}

/** `POST /leads/complex`: a bare array comes back, its `request_id` is an array, and nothing is ever merged here. */
export function postComplex(call: Call): SandboxAnswer {
  const batch = readBatch(call, COMPLEX_CAP, (item) => parseComplex(call, item));
  if ('refused' in batch) return batch.refused;
  const made = batch.items.map(({ draft, requestId }) => {
    const id = createCard(call.world, 'leads', draft.lead).id;
    const contactId = companionId(call, 'contacts', draft.contact);
    const companyId = companionId(call, 'companies', draft.company);
    if (contactId !== null) addLink(call.world, 'leads', id, 'contacts', contactId, { isMain: true });
    if (companyId !== null) addLink(call.world, 'leads', id, 'companies', companyId);
    if (contactId !== null && companyId !== null) addLink(call.world, 'contacts', contactId, 'companies', companyId);
    return { id, contact_id: contactId, company_id: companyId, request_id: [requestId], merged: false };
  });
  return { status: 200, body: inAnswerOrder(call.world, made) };
}

function companionId(call: Call, type: EntityType, companion: Companion): number | null {
  if (!companion) return null;
  return 'id' in companion ? companion.id : createCard(call.world, type, companion.draft).id;
}
