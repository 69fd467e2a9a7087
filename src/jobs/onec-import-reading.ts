import type { LinkState, Plan } from '../domain/effect.ts';
import type { OnecDocumentType } from '../domain/onec.ts';
import { RecordFault } from '../domain/record-fault.ts';
import type { Reading, WhatIsBound } from '../runner/reading.ts';
import type { Adopted, Change } from '../runner/sink.ts';
import type { Deal } from '../systems/amocrm/schema.ts';
import { keys } from '../systems/onec/effects/payloads.ts';
import { changedDeals, WITH } from './onec-import-changed.ts';
import { clientOf, type DealFacts, type ImportOptions } from './onec-import-deal.ts';
import { adoptedDocument, type FoundDocument, findDocuments } from './onec-import-find.ts';
import { demandDefaults, type OpenedOnec, openOnec } from './onec-import-options.ts';
import { planImport } from './onec-import-plan.ts';
import {
  asksNothing,
  firstStateKey,
  isImported,
  LEAD_RECORD,
  type PlannedState,
  planStateChanges,
  rowOf,
  type StagedDeal,
  wantedState,
} from './onec-import-state.ts';
import { type WaitingDeals, waitingDeals } from './onec-import-waiting.ts';
import type { OnecJobContext } from './onec-reading.ts';

/** What was read for one page; forgotten with the next. */
interface Page {
  /** Deals whose document stands. */
  standing: ReadonlySet<number>;
  /** Deals whose document was marked for deletion. */
  deleted: ReadonlySet<number>;
  facts: ReadonlyMap<number, DealFacts>;
  /** Deal → the name of the state that 1C shows, where the deal asks for another one. */
  shown: ReadonlyMap<number, string>;
  /** Deals that an export is just making: it will name their document. */
  underWay: ReadonlySet<number>;
  /** Keys of failed records. */
  failed: ReadonlyMap<string, boolean>;
}

const NOTHING: Page = {
  ...{ standing: new Set(), deleted: new Set(), facts: new Map(), shown: new Map() },
  ...{ underWay: new Set(), failed: new Map() },
};

/** amoCRM's deals that changed in a slice, and what 1C shall hold of each. 1C is asked only where a deal asks for something. */
export function dealReading(context: OnecJobContext): Reading<Deal> {
  const { clients, log, tables, now } = context;
  const { statuses } = clients.onec.mapping;
  let page = NOTHING;
  const waiting = waitingDeals(context);
  let opened: Promise<OpenedOnec> | undefined;
  const open = () => {
    opened ??= openOnec(context);
    return opened;
  };

  async function plan(deal: Deal): Promise<Plan> {
    // A failed record is planned anew; there is nothing to make where its document has come to stand meanwhile, or where
    // the deal has gone on to a stage that makes none.
    const record = { kind: LEAD_RECORD, key: String(deal.id) };
    if (page.standing.has(deal.id) || !isConcerned(deal)) return { record, effects: [] };
    if (page.deleted.has(deal.id)) throw deletedFault();
    const facts = page.facts.get(deal.id);
    if (facts === undefined) return { record, effects: [] };
    const planned = planImport(facts, (await open()).options);
    for (const { subject, message } of planned.warnings) {
      log.warn({ record: deal.id, reason: message }, 'a line of a deal is left out');
      await tables.deals.report('onec_lines', subject, message, now);
    }
    return planned;
  }

  const isConcerned = (deal: Deal) => isImported(staged(deal), statuses) && !deal.isDeleted;

  async function change(deal: Deal, links: ReadonlyMap<string, LinkState>): Promise<readonly Change[]> {
    const link = links.get(keys.document(deal.id));
    if (deal.isDeleted || link === undefined || asksNothing(staged(deal), link, statuses)) return [];
    return planStateChanges(staged(deal), { links, shown: page.shown.get(deal.id) }, (await open()).options);
  }

  return {
    recordKind: LEAD_RECORD,
    pages: async function* (slice) {
      yield* changedDeals(await clients.amocrm(), slice);
    },
    again: async (key) => {
      const { client } = await clients.amocrm();
      return (await client.dealsByIds([Number(key)], WITH)).get(Number(key));
    },
    chosen: async function* (names) {
      const { client } = await clients.amocrm();
      const ids = names.map(Number).filter((id) => Number.isSafeInteger(id) && id > 0);
      const found = await client.dealsByIds(ids, WITH);
      for (const name of names.filter((one) => !found.has(Number(one)))) {
        log.warn({ deal: name, reason: 'amoCRM has no such deal' }, 'a chosen deal is left out');
        context.counts.failed += 1;
      }
      if (found.size > 0) yield [...found.values()];
    },
    keyOf: ({ id }) => String(id),
    knownBy: (key) => keys.document(Number(key)),
    linksOf: (key) => {
      const document = keys.document(Number(key));
      return [document, keys.mark(document), firstStateKey(Number(key))];
    },
    prepare: async (deals, state) => {
      const prepared = await prepare(deals, state, context, { open, waiting });
      page = prepared.page;
      return prepared.adopted;
    },
    wanted: (deal) => {
      if (page.underWay.has(deal.id)) return false;
      const wanted = isConcerned(deal);
      if (!wanted) log.debug({ record: deal.id, stage: deal.statusId }, 'no document is made at this stage');
      return wanted || page.failed.has(String(deal.id));
    },
    plan,
    change,
    older: async function* (seen) {
      const dealIds = (await waiting.kept()).filter((id) => !seen.has(String(id)));
      const { client } = await clients.amocrm();
      if (dealIds.length > 0) yield [...(await client.dealsByIds(dealIds, WITH)).values()];
      await waiting.settle();
    },
    keep: () => Promise.resolve(0),
  };
}

async function prepare(
  deals: readonly Deal[],
  { known, links, failed }: WhatIsBound,
  context: OnecJobContext,
  { open, waiting }: { open: () => Promise<OpenedOnec>; waiting: WaitingDeals },
): Promise<{ page: Page; adopted: readonly Adopted[] }> {
  const { statuses } = context.clients.onec.mapping;
  const isBound = ({ id }: Deal) => links.has(keys.document(id));
  const staying = deals.filter((deal) => !deal.isDeleted && rowOf(staged(deal), statuses) !== undefined);
  const isPlanned = ({ id }: Deal) => known.has(keys.document(id));
  // A document that 1C has refused may have been entered there by hand since.
  const isStranger = (deal: Deal) => !isBound(deal) && (!isPlanned(deal) || failed.get(String(deal.id)) === true);
  const strangers = await withoutVain(staying.filter(isStranger), context);
  // Before the links are read: a deal whose create is through by then is bound.
  const beingMade = strangers.length === 0 ? new Set<string>() : await context.tables.onec.dealsUnderWay();
  const found = strangers.length === 0 ? undefined : await findDocuments(strangers, (await open()).reader, context);
  const documents = found?.documents ?? new Map<number, FoundDocument>();
  const deleted = found?.deleted ?? new Set<number>();
  const underWay = new Set(
    strangers.filter(({ id, name }) => beingMade.has(name.trim()) && !documents.has(id)).map(({ id }) => id),
  );
  // Failed ones are planned anew as they stand by then, but for those that have gone on to a stage that makes no document.
  const isPlannedAnew = (deal: Deal) => {
    const isDue = failed.get(String(deal.id));
    return isDue === false || (isDue === true && isImported(staged(deal), statuses));
  };
  const isWaiting = (deal: Deal) => !isBound(deal) && isPlanned(deal) && !isPlannedAnew(deal);
  await waiting.add([...staying.filter(isWaiting).map(({ id }) => id), ...underWay]);
  await keepVain(
    strangers.filter((deal) => !documents.has(deal.id) && !isToBeMade(deal, context)),
    context,
  );
  const adopted = [...documents].map(([dealId, document]) => adoptedDocument(dealId, document));
  const bound = new Map(links);
  for (const { dealKey, dealId, applied } of adopted) {
    bound.set(dealKey, { key: dealKey, remoteId: String(dealId), applied, planned: applied, revision: 0 });
  }
  // A create that has failed is planned anew before it is sent anew.
  const unmade = staying.filter((deal) => !isBound(deal) && !documents.has(deal.id) && !deleted.has(deal.id));
  const fresh = unmade.filter((deal) => isImported(staged(deal), statuses) && !underWay.has(deal.id));
  const standing = new Set([...deals.filter(isBound).map(({ id }) => id), ...documents.keys()]);
  return {
    page: {
      ...{ standing, deleted, underWay, failed },
      facts: await factsOf(fresh, context, open),
      shown: await shownStates(
        staying.filter(({ id }) => standing.has(id)),
        bound,
        context,
        open,
      ),
    },
    adopted,
  };
}

/** Deals that have no document and are given none stay in the window for long; they are looked for in 1C once for each change. */
const VAIN_FACT = 'onec:import:without-document';

type Vain = { [dealId: string]: number };

async function readVain({ clients }: OnecJobContext): Promise<Vain> {
  const text = await (await clients.amocrm()).memory.fact(VAIN_FACT);
  return text === undefined ? {} : (JSON.parse(text) as Vain);
}

async function withoutVain(deals: readonly Deal[], context: OnecJobContext): Promise<Deal[]> {
  if (deals.length === 0 || context.only !== undefined) return [...deals];
  const vain = await readVain(context);
  return deals.filter((deal) => isToBeMade(deal, context) || vain[deal.id] !== deal.updatedAt);
}

async function keepVain(deals: readonly Deal[], context: OnecJobContext): Promise<void> {
  if (deals.length === 0) return;
  const since = context.windowStart.getTime() / 1000;
  const kept = Object.entries(await readVain(context)).filter(([, updatedAt]) => updatedAt >= since);
  const vain: Vain = {
    ...Object.fromEntries(kept),
    ...Object.fromEntries(deals.map((one) => [one.id, one.updatedAt])),
  };
  await (await context.clients.amocrm()).memory.setFact(VAIN_FACT, JSON.stringify(vain));
}

function isToBeMade(deal: Deal, { clients }: OnecJobContext): boolean {
  const { statuses, import: rules } = clients.onec.mapping;
  return isImported(staged(deal), statuses) && (rules.allowWithoutClient || clientOf(deal) !== undefined);
}

/** Deals without a client are not read any further where they are not to be imported. */
async function factsOf(
  deals: readonly Deal[],
  { clients, settings, log }: OnecJobContext,
  open: () => Promise<OpenedOnec>,
): Promise<ReadonlyMap<number, DealFacts>> {
  if (deals.length === 0) return new Map();
  const { loadFacts } = await import('./onec-import-load.ts');
  const onec = await open();
  const { mapping, catalogId } = onec.options;
  const whole = deals.filter((deal) => mapping.import.allowWithoutClient || clientOf(deal) !== undefined);
  if (whole.length > 0) demandDefaults(onec);
  if (catalogId === undefined && whole.some(({ elements }) => elements.length > 0)) {
    log.warn('AMO_CATALOG_ID is not set: documents are made without goods');
  }
  const { client } = await clients.amocrm();
  const country = settings.DEFAULT_COUNTRY;
  const facts = await loadFacts(whole, { client, reader: onec.reader, mapping, catalogId, country });
  const bare = deals
    .filter(({ id }) => !facts.has(id))
    .map((deal) => [deal.id, { ...bareFacts(deal), lines: [] }] as const);
  return new Map([...facts, ...bare]);
}

/** What 1C shows of documents whose deal asks for another state than was last agreed on. */
async function shownStates(
  deals: readonly Deal[],
  links: ReadonlyMap<string, LinkState>,
  { clients }: OnecJobContext,
  open: () => Promise<OpenedOnec>,
): Promise<Map<number, string>> {
  const shown = new Map<number, string>();
  const { statuses } = clients.onec.mapping;
  const asking = deals.flatMap((deal) => {
    const link = links.get(keys.document(deal.id));
    return link === undefined || asksNothing(staged(deal), link, statuses) ? [] : [{ deal, link }];
  });
  if (asking.length === 0) return shown;
  const { reader, options } = await open();
  const byType = new Map<OnecDocumentType, Map<string, number>>();
  for (const { deal, link } of asking) {
    if (!asksForState(deal, link, options)) continue;
    const { type } = link.planned as PlannedState;
    byType.set(type, (byType.get(type) ?? new Map<string, number>()).set(link.remoteId, deal.id));
  }
  for (const [type, refs] of byType) {
    const states = await reader.states(type, [...refs.keys()]);
    for (const [ref, dealId] of refs) {
      const name = states.get(ref)?.state?.name;
      if (name !== undefined) shown.set(dealId, name);
    }
  }
  return shown;
}

/** A stage that the table has wrong is its own deal's fault, told when that is planned; the others go on. */
function asksForState(deal: Deal, link: LinkState, options: ImportOptions): boolean {
  try {
    return wantedState(staged(deal), link, options) !== undefined;
  } catch (error) {
    if (error instanceof RecordFault) return false;
    throw error;
  }
}

function staged({ id, pipelineId, statusId }: Deal): StagedDeal {
  return { dealId: id, pipelineId, statusId };
}

function bareFacts({ id, name, pipelineId, statusId, updatedAt, createdAt }: Deal): Omit<DealFacts, 'lines'> {
  return { dealId: id, name, priceMinor: 0, pipelineId, statusId, updatedAt, createdAt };
}

function deletedFault(): RecordFault {
  return new RecordFault(
    'the document of this deal is marked for deletion in 1C; another one is not made',
    "Take the mark away in 1C, or the deal's number from the document's additional information.",
  );
}
