import type { OnecDocKey } from '../config/mapping-onec-types.ts';
import type { Effect, Plan, RecordRef } from '../domain/effect.ts';
import { EMPTY_DATE, type OnecDocumentType, type OnecLocal } from '../domain/onec.ts';
import { RecordFault } from '../domain/record-fault.ts';
import type { DealState as ShownDeal } from '../systems/amocrm/effects/payloads.ts';
import {
  type CreatePayload,
  type IdPayload,
  KINDS,
  keys,
  type MarkPayload,
  onecEffect,
  type PostPayload,
  type StatePayload,
} from '../systems/onec/effects/payloads.ts';
import { toLocal } from '../systems/onec/time.ts';
import { clientBody, contractBody, documentBody, documentKey, type PlacedLine } from './onec-import-body.ts';
import type { DealClient, DealFacts, ImportOptions } from './onec-import-deal.ts';
import { lineKind, placeLines, quantitiesOf } from './onec-import-lines.ts';
import {
  birthState,
  firstStateKey,
  LEAD_RECORD,
  type PlannedState,
  rowOf,
  type Target,
  targetOf,
} from './onec-import-state.ts';

/** How much the clocks of amoCRM and 1C may differ. */
const SKEW_MS = 3_600_000;

/** A plan and what people should know of it; the document is made all the same. */
export interface ImportPlan extends Plan {
  warnings: readonly { subject: string; message: string }[];
}

/**
 * A new deal as 1C shall hold it: client, contract, goods, documents, the deal's id, the state that its stage asks for, and
 * the dates of exchange. Pure; keys name the deal, never its stage. Throws `RecordFault` where the deal cannot be imported.
 */
export function planImport(deal: DealFacts, options: ImportOptions): ImportPlan {
  const { mapping } = options;
  const record: RecordRef = { kind: LEAD_RECORD, key: String(deal.dealId) };
  const row = rowOf(deal, mapping.statuses);
  if (row?.state == null) throw new RecordFault('the deal stands at a stage that has no state in onec.statuses');
  const target = targetOf(row, options);
  const { client } = deal;
  if (client === undefined && !mapping.import.allowWithoutClient) {
    throw new RecordFault(
      'the deal has neither a contact nor a company, so that its document would have no client',
      'Add one to the deal, or set onec.import.allow_without_client.',
    );
  }
  const type = typeOf(deal, options);
  const tables = mapping.documents[type];
  const { placed, made, warnings } = placeLines(deal, record, options, {
    goods: tables?.goods !== undefined,
    works: tables?.works !== undefined,
  });
  const place = { organization: row.organization ?? undefined, department: row.department ?? undefined };
  const owners = client === undefined ? undefined : clientEffects(client, type, record, place, options);
  const documents = documentEffects({ deal, record, type, target, place, owners, placed, options });
  const effects = [...(owners?.effects ?? []), ...made, ...documents];
  const unique = new Map(effects.map((effect) => [effect.key, effect]));
  return {
    record,
    effects: [...unique.values()],
    since: new Date(createdMs(deal) ?? Date.parse(`${options.localNow}Z`)).toISOString(),
    warnings,
  };
}

/** Chain or customer's order, as the setting says and as the mapping has it. */
function typeOf(deal: DealFacts, { mapping }: ImportOptions): OnecDocumentType {
  const { as } = mapping.import;
  const works = deal.lines.some((line) => lineKind(line, mapping.catalog.maker !== undefined) === 'work');
  const wanted: OnecDocumentType = as === 'chain' || (as === 'auto' && works) ? 'workOrder' : 'customerOrder';
  if (mapping.documents[wanted] !== undefined) return wanted;
  const other = wanted === 'workOrder' ? 'customerOrder' : 'workOrder';
  if (as !== 'auto' || mapping.documents[other] === undefined) {
    throw new RecordFault(`onec.documents.${wanted} is not configured, so that no document can be made`);
  }
  return other;
}

/** The documents that are made for a deal, first to last. */
function documentTypes(type: OnecDocumentType, { mapping }: ImportOptions): OnecDocKey[] {
  if (type === 'customerOrder') return [type];
  const before = (['repairRequest', 'repairSummary'] as const).filter((one) => mapping.documents[one] !== undefined);
  return [...before, type];
}

interface Owners {
  clientKey: string;
  contractKey: string | undefined;
  effects: Effect[];
}

/** The counterparty, found or made, with its amoCRM id, and a contract of its own where the documents hold one. */
function clientEffects(
  client: DealClient,
  type: OnecDocumentType,
  record: RecordRef,
  place: { organization: string | undefined; department: string | undefined },
  options: ImportOptions,
): Owners {
  const { catalogs, documents } = options.mapping;
  const { amoId, existing, kind } = client;
  const clientKey = keys.client(kind, amoId);
  const { set } = catalogs.counterparty;
  const [phone] = client.phones;
  const [email] = client.emails;
  const payload: CreatePayload = {
    set,
    body: clientBody(client, options),
    refs: {},
    ...(existing === undefined ? {} : { existing: existing.ref }),
    find: { by: 'contact', ...(phone === undefined ? {} : { phone }), ...(email === undefined ? {} : { email }) },
  };
  const effects = [onecEffect(KINDS.client, clientKey, record, [], payload)];
  // Another contact's id stays: which of two contacts with one phone a counterparty belongs to was settled before.
  if (existing?.amoId === undefined) {
    const id: IdPayload = { property: 'client', set, objectKey: clientKey, amoId };
    effects.push(onecEffect(KINDS.id, keys.id(clientKey), record, [clientKey], id));
  }
  const { contract } = catalogs;
  const wanted = documentTypes(type, options).some((one) => documents[one]?.contract !== undefined);
  if (!wanted || contract === undefined) return { clientKey, contractKey: undefined, effects };
  const contractKey = keys.contract(clientKey);
  const made: CreatePayload = {
    set: contract.set,
    ...contractBody(clientKey, place, options),
    find: { by: 'owner', clientKey },
  };
  effects.push(onecEffect(KINDS.contract, contractKey, record, [clientKey], made));
  return { clientKey, contractKey, effects };
}

interface DocumentWish {
  deal: DealFacts;
  record: RecordRef;
  type: OnecDocumentType;
  target: Target;
  place: { organization: string | undefined; department: string | undefined };
  owners: Owners | undefined;
  placed: readonly PlacedLine[];
  options: ImportOptions;
}

const CREATE_KINDS: { readonly [Type in OnecDocKey]: string } = {
  repairRequest: KINDS.request,
  repairSummary: KINDS.summary,
  workOrder: KINDS.workOrder,
  customerOrder: KINDS.customerOrder,
};

/** In the order in which 1C takes them: each document needs the one before it, posted where it can be. */
function documentEffects(wish: DocumentWish): Effect[] {
  const { deal, record, type, target, options } = wish;
  const { dealId } = deal;
  const effects: Effect[] = [];
  let base: { type: OnecDocKey; key: string } | undefined;
  let before: string[] = [];
  for (const one of documentTypes(type, options)) {
    const document = options.mapping.documents[one];
    if (document === undefined) continue;
    const key = documentKey(one, dealId);
    effects.push(createDocument(wish, one, base, before));
    before = [key];
    const postKey = one === 'repairRequest' ? keys.requestPost(dealId) : keys.customerOrderPost(dealId);
    if (document.post && (one === 'repairRequest' || one === 'customerOrder')) {
      const post: PostPayload = { set: document.set, documentKey: key };
      const kind = one === 'repairRequest' ? KINDS.requestPost : KINDS.customerOrderPost;
      effects.push(onecEffect(kind, postKey, record, [key], post));
      before = [key, postKey];
    }
    base = { type: one, key };
  }
  const docKey = keys.document(dealId);
  const set = options.mapping.documents[type]?.set ?? '';
  const idKey = keys.id(docKey);
  const id: IdPayload = { property: 'lead', set, objectKey: docKey, amoId: dealId };
  effects.push(onecEffect(KINDS.id, idKey, record, [docKey], id));
  const born = birthState(type, target, options);
  if (born?.ref !== target.ref) {
    const ours = [...new Set([target.name, ...(born === undefined ? [] : [born.name])])];
    // A state that 1C computes itself is nobody's choice; one that stands in the document may be, where this write comes late.
    const computed = options.mapping.documents[type]?.state?.kind === 'register';
    const state: StatePayload = {
      ...{ documentKey: docKey, type, to: target, ours },
      ...(computed ? { first: true } : {}),
    };
    effects.push(onecEffect(KINDS.state, firstStateKey(dealId), record, [...before, idKey], state));
  }
  // The dates do not need the state: it may be refused for long, and a later one may take its place.
  const mark: MarkPayload = {
    set,
    objectKey: docKey,
    exportedAt: true,
    updatedAt: true,
    notBefore: options.localNow,
  };
  effects.push(onecEffect(KINDS.mark, keys.mark(docKey), record, [docKey, idKey], mark));
  return effects;
}

function createDocument(
  wish: DocumentWish,
  type: OnecDocKey,
  base: { type: OnecDocKey; key: string } | undefined,
  before: readonly string[],
): Effect {
  const { deal, record, target, place, owners, placed, options } = wish;
  const { dealId } = deal;
  const document = options.mapping.documents[type];
  if (document === undefined) throw new RecordFault(`onec.documents.${type} is not configured`);
  const { body, refs } = documentBody(
    document,
    {
      ...{ type, deal, base, lines: placed, ...place },
      ...{ clientKey: owners?.clientKey, contractKey: owners?.contractKey },
      state: birthState(wish.type, target, options)?.ref,
    },
    options,
  );
  const payload: CreatePayload = {
    set: document.set,
    body,
    refs,
    find: { by: 'marker', type, dealId, from: bornAt(deal, options) },
    ...(type === wish.type ? standing(wish) : {}),
  };
  return onecEffect(
    CREATE_KINDS[type],
    documentKey(type, dealId),
    record,
    [...before, ...Object.values(refs)],
    payload,
  );
}

/** What the links keep of the document that stands for the deal, for this job and for an export. */
function standing({ deal, type, target, place, placed, options }: DocumentWish): Partial<CreatePayload> {
  const { organization, department } = place;
  const state: PlannedState = {
    ...{ type, state: target.name },
    ...(organization === undefined ? {} : { organization }),
    ...(department === undefined ? {} : { department }),
  };
  // Whole units; nothing of the deal's fields is ours yet.
  const shown: ShownDeal = {
    price: Math.round(deal.priceMinor / 100),
    ...{ pipelineId: deal.pipelineId, statusId: deal.statusId, tags: [], fields: {} },
  };
  return {
    state,
    dealId: deal.dealId,
    deal: { ...shown },
    ...(options.catalogId === undefined ? {} : { goods: quantitiesOf(placed, options) }),
  };
}

/** Milliseconds; undefined where amoCRM did not tell. */
function createdMs({ createdAt }: DealFacts): number | undefined {
  const ms = createdAt * 1000;
  return Number.isFinite(new Date(ms).getTime()) ? ms : undefined;
}

/** No document can have been made for a deal before the deal itself. */
function bornAt(deal: DealFacts, { localNow, zone }: ImportOptions): OnecLocal {
  const ms = createdMs(deal);
  if (ms === undefined) return EMPTY_DATE;
  const from = toLocal(new Date(ms - SKEW_MS), zone);
  return from < localNow ? from : localNow;
}
