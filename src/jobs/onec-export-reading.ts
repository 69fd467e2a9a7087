import type { LinkState, Plan } from '../domain/effect.ts';
import type { OnecDocument, OnecHead, OnecLocal } from '../domain/onec.ts';
import { RecordFault } from '../domain/record-fault.ts';
import type { SeenDocument } from '../runner/job.ts';
import type { Reading, WhatIsBound } from '../runner/reading.ts';
import type { Adopted, Change } from '../runner/sink.ts';
import { keys } from '../systems/amocrm/effects/payloads.ts';
import { keys as onecKeys } from '../systems/onec/effects/payloads.ts';
import { fromLocal } from '../systems/onec/time.ts';
import { chosenDocuments } from './onec-chosen.ts';
import { adoptDocuments, type Standing } from './onec-export-adopt.ts';
import { DOCUMENT_RECORD, type DocumentOptions, noteName, sourceOf } from './onec-export-deal.ts';
import { dealReports, optionsOnce } from './onec-export-options.ts';
import { type DocumentHistory, isExchanged, planDocument, planDocumentChanges } from './onec-export-plan.ts';
import { type OnecJobContext, type UsableOnec, zoneOf } from './onec-reading.ts';

/** What was read for one page; forgotten with the next. */
interface Page {
  documents: ReadonlyMap<string, OnecDocument | Error>;
  /** Documents as they were seen before. */
  seen: ReadonlyMap<string, SeenDocument>;
  /** Seen before just like this: nothing is read or planned of them. */
  still: ReadonlySet<string>;
  /** An import is just making them; they are left alone until it is through. */
  inHand: ReadonlySet<string>;
  /** Their deals were planned, or are bound here. */
  known: ReadonlySet<string>;
  /** Their deals are bound here. */
  standing: ReadonlySet<string>;
  /** Their deals were bound here without having been exported: an import has made them. */
  imported: ReadonlySet<string>;
  /** 1C names a deal that cannot be theirs: why, or that it is gone. */
  astray: ReadonlyMap<string, Standing>;
  noted: ReadonlySet<string>;
  /** Failed documents, whether or not their next attempt is due. */
  failed: ReadonlyMap<string, boolean>;
}

const NOTHING: Page = {
  documents: new Map(),
  seen: new Map(),
  still: new Set(),
  inHand: new Set(),
  known: new Set(),
  standing: new Set(),
  imported: new Set(),
  astray: new Map(),
  noted: new Set(),
  failed: new Map(),
};

/**
 * 1C's documents of a slice, and what amoCRM shall hold of each. Whole documents are read of new and changed ones alone; of
 * all of them where they are to be compared `anew`.
 */
export function documentReading(
  context: OnecJobContext,
  onec: UsableOnec,
  { anew = false }: { anew?: boolean } = {},
): Reading<OnecHead> {
  const { tables, now } = context;
  const { reader } = onec;
  const reports = dealReports(context);
  const options = optionsOnce(context, onec);
  let page = NOTHING;
  /** What this page has compared or planned: it need not be read again until it changes. */
  let done = new Map<string, OnecDocument>();
  /** Planned anew: it is to be compared with the next pass. */
  let renewed = new Map<string, OnecDocument>();

  async function documentOf(head: OnecHead): Promise<OnecDocument> {
    const read = page.documents.get(head.ref) ?? (await reader.documents([head])).get(head.ref);
    if (read === undefined) throw new RecordFault('1C does not have the document any more');
    if (read instanceof Error) throw read;
    return read;
  }

  async function plan(head: OnecHead): Promise<Plan> {
    const record = { kind: DOCUMENT_RECORD, key: head.ref };
    // It has failed while it stood; nothing is asked of a document that people have done away with.
    if (head.deletionMark) return { record, effects: [] };
    const document = await documentOf(head);
    const astray = page.astray.get(head.ref);
    if (astray?.state === 'taken') throw takenFault(astray.dealId);
    // What an older plan of it has brought about has to be compared yet, also where it was compared before it failed.
    if (!page.known.has(head.ref)) done.set(head.ref, document);
    else if (page.seen.has(head.ref) && page.seen.get(head.ref)?.importedState === undefined) {
      renewed.set(head.ref, document);
    }
    if (astray?.state === 'gone') {
      await reports.gone(document, astray.dealId);
      return { record, effects: [] };
    }
    if (page.seen.has(head.ref)) await reports.stands(document);
    const given = await options();
    await reports.state(document, given);
    return planDocument(document, given);
  }

  async function change(head: OnecHead, links: ReadonlyMap<string, LinkState>): Promise<readonly Change[]> {
    if (page.still.has(head.ref) || page.inHand.has(head.ref)) return [];
    const document = await documentOf(head);
    if (head.deletionMark) {
      await reports.marked(head, links.get(keys.deal(sourceOf(head)))?.remoteId ?? '');
      done.set(head.ref, document);
      return [];
    }
    if (page.seen.has(head.ref)) await reports.unmarked(head);
    if (!page.known.has(head.ref) && page.seen.has(head.ref)) await reports.stands(document);
    const given = await options();
    await reports.state(document, given);
    const changes = planDocumentChanges(document, links, given, historyOf(document, page));
    done.set(head.ref, document);
    return changes;
  }

  return {
    recordKind: DOCUMENT_RECORD,
    pages: (slice) => reader.heads(slice, { marked: true }),
    again: (ref) => reader.head(ref),
    chosen: async function* (names) {
      const { heads, problems } = await chosenDocuments(reader, names);
      for (const { name, reason } of problems) {
        context.log.warn({ document: name, reason }, 'a chosen document is left out');
        context.counts.failed += 1;
      }
      if (heads.length > 0) yield heads;
    },
    keyOf: ({ ref }) => ref,
    knownBy: (ref) => keys.deal(sourceOf({ ref })),
    prepare: async (heads, state) => {
      const prepared = await prepare(heads, state, { context, onec, options, anew });
      page = prepared.page;
      [done, renewed] = [new Map(), new Map()];
      return prepared.adopted;
    },
    wanted: ({ ref, deletionMark }) =>
      !page.still.has(ref) && !page.inHand.has(ref) && (!deletionMark || page.failed.has(ref)),
    plan,
    linksOf: (ref) => [keys.deal(sourceOf({ ref })), keys.dealGoods(sourceOf({ ref })), onecKeys.mark(ref)],
    change,
    keep: (tx, heads) => {
      const zone = zoneOf(context, onec.mapping);
      const rows = heads.flatMap((head) => {
        const [is, was] = [done.get(head.ref), renewed.get(head.ref)];
        if (is !== undefined) return [seenOf(head, is, zone)];
        return was === undefined ? [] : [{ ...seenOf(head, was, zone), signature: '' }];
      });
      return rows.length === 0 ? Promise.resolve(0) : tables.onec.save(tx, rows, now);
    },
  };
}

interface PageParts {
  context: OnecJobContext;
  onec: UsableOnec;
  options: () => Promise<DocumentOptions>;
  anew: boolean;
}

async function prepare(
  heads: readonly OnecHead[],
  { known, links, failed }: WhatIsBound,
  { context, onec, options, anew }: PageParts,
): Promise<{ page: Page; adopted: readonly Adopted[] }> {
  const dealKey = (ref: string) => keys.deal(sourceOf({ ref }));
  const seen = await context.tables.onec.seen(heads.map(({ ref }) => ref));
  // What was refused is planned anew: its client may have been corrected.
  const isStill = (head: OnecHead) =>
    !anew && failed.get(head.ref) !== true && seen.get(head.ref)?.signature === signatureOf(head);
  const still = heads.filter(isStill).map(({ ref }) => ref);
  const standing = heads.filter(({ ref }) => links.has(dealKey(ref))).map(({ ref }) => ref);
  const planned = heads.filter(({ ref }) => known.has(dealKey(ref)) || links.has(dealKey(ref))).map(({ ref }) => ref);
  const found = { seen, still: new Set(still), known: new Set(planned), standing: new Set(standing), failed };
  const page = { ...NOTHING, ...found, inHand: new Set<string>() };
  // A deal that is on its way has nothing yet that could be compared; what has failed waits for its next attempt.
  const isDue = ({ ref, deletionMark }: OnecHead) => !deletionMark && (failed.get(ref) ?? !known.has(dealKey(ref)));
  const due = heads.filter((head) => !page.still.has(head.ref) && (page.standing.has(head.ref) || isDue(head)));
  if (due.length === 0) return { page, adopted: [] };
  // Before the documents are read: what is through by then is seen as it was left.
  const inHand = await context.tables.onec.dealsImported();
  const documents = await onec.reader.documents(due);
  const read = [...documents.values()].flatMap((document) => (document instanceof Error ? [] : [document]));
  // An import has not written its state yet: exported as it stands, it would take its deal back to the first stage.
  const isInHand = (document: OnecDocument) => inHand.has(dealIdOf(document, links.get(dealKey(document.ref))));
  for (const { ref } of read.filter(isInHand)) page.inHand.add(ref);
  const readable = read.filter(({ ref }) => !page.inHand.has(ref));
  const strangers = readable.filter(({ ref }) => !known.has(dealKey(ref)));
  const given = await options();
  const { adopted, astray } = await adoptDocuments(strangers, links, context, given);
  const imported = strangers.filter(({ ref }) => page.standing.has(ref)).map(({ ref }) => ref);
  const noted = await notesMade(readable, context, given);
  const byRef = new Map(readable.map((document) => [document.ref, document]));
  for (const { record } of adopted) {
    const document = byRef.get(record.key);
    // What was exchanged has got its note then.
    if (document !== undefined && !page.standing.has(record.key) && isExchanged(document)) noted.add(record.key);
  }
  return { page: { ...page, documents, astray, imported: new Set(imported), noted }, adopted };
}

/** 0 where no deal is known of. */
function dealIdOf({ marks, madeForDeal }: OnecDocument, link: LinkState | undefined): number {
  return link === undefined ? (marks.amoId ?? madeForDeal ?? 0) : Number(link.remoteId);
}

/** Documents whose present long recommendations stand in a note already. */
async function notesMade(
  documents: readonly OnecDocument[],
  { clients }: OnecJobContext,
  options: DocumentOptions,
): Promise<Set<string>> {
  const noteKeys = new Map<string, string>();
  for (const document of documents) {
    const name = noteName(document, options);
    if (name !== undefined) noteKeys.set(document.ref, keys.note(sourceOf(document), name));
  }
  if (noteKeys.size === 0) return new Set();
  const bound = await (await clients.amocrm()).memory.bound([...noteKeys.values()]);
  return new Set([...noteKeys].filter(([, key]) => bound.has(key)).map(([ref]) => ref));
}

function historyOf(document: OnecDocument, { seen, imported, noted }: Page): DocumentHistory {
  const importedState = seen.get(document.ref)?.importedState;
  return {
    baseline: imported.has(document.ref) && !seen.has(document.ref) && isExchanged(document),
    noted: noted.has(document.ref),
    ...(importedState === undefined ? {} : { importedState }),
  };
}

/** Says whether a document has changed: 1C counts its versions, and the additional information changes without one. */
export function signatureOf({ dataVersion, writtenAt }: Pick<OnecHead, 'dataVersion' | 'writtenAt'>): string {
  return `${dataVersion}|${writtenAt ?? ''}`;
}

function seenOf(head: OnecHead, document: OnecDocument, zone: string): SeenDocument {
  const writtenAt = head.writtenAt ?? document.marks.writtenAt;
  return {
    ref: head.ref,
    type: head.type,
    number: head.number,
    dated: instantText(head.date, zone) ?? new Date(0).toISOString(),
    ...(writtenAt === undefined ? {} : optionalInstant(writtenAt, zone)),
    state: document.state?.name ?? '',
    signature: signatureOf(head),
  };
}

function optionalInstant(local: OnecLocal, zone: string): { writtenAt?: string } {
  const writtenAt = instantText(local, zone);
  return writtenAt === undefined ? {} : { writtenAt };
}

function instantText(local: OnecLocal, zone: string): string | undefined {
  const instant = fromLocal(local, zone);
  return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString();
}

function takenFault(dealId: number): RecordFault {
  return new RecordFault(
    `1C names deal ${dealId} for this document, and the deal stands for another one`,
    'A copied document keeps the mark of its original: clear the deal id in its additional information and write it anew.',
  );
}
