import { cleanText } from '../../base/redact.ts';
import type { LinkState } from '../../domain/effect.ts';
import type { OnecDocument, OnecHead, OnecLine, OnecLocal } from '../../domain/onec.ts';
import { stageFor, stagesOf } from '../../domain/onec-status.ts';
import type { Range } from '../../domain/range.ts';
import { chosenDocuments } from '../../jobs/onec-chosen.ts';
import { clientKey } from '../../jobs/onec-export-client.ts';
import { placeOf, sourceOf } from '../../jobs/onec-export-deal.ts';
import { withStateNames } from '../../jobs/onec-export-options.ts';
import { isExchanged } from '../../jobs/onec-export-plan.ts';
import { signatureOf } from '../../jobs/onec-export-reading.ts';
import type { UsableOnec } from '../../jobs/onec-reading.ts';
import type { SeenDocument } from '../../runner/job.ts';
import type { Tx } from '../../state/database.ts';
import { linkStates } from '../../state/links.ts';
import { seenDocuments } from '../../state/onec-documents.ts';
import { type DealState, keys } from '../../systems/amocrm/effects/payloads.ts';

/** `new`: without a deal; `changed` since the last exchange; `exchanged`: an export would leave it alone. */
export type Exchange = 'new' | 'changed' | 'exchanged';

/** A document as the list shows it. Times are local to the 1C server; sums are in its currency. */
export interface ListedDocument {
  ref: string;
  type: OnecDocument['type'];
  number: string;
  date: OnecLocal;
  client: string | null;
  amount: number | null;
  deal_id: number | null;
  /** Of a contact or a company. */
  client_id: number | null;
  state: string | null;
  pipeline_id: number | null;
  stage_id: number | null;
  written_at: OnecLocal | null;
  exported_at: OnecLocal | null;
  exchange: Exchange;
  lines: ListedLine[];
  /** Why it cannot be read. */
  fault?: string;
}

export interface ListedLine {
  work: boolean;
  article: string;
  maker: string;
  name: string;
  price: number;
  quantity: number;
  sum: number;
  catalog_id: number | null;
}

export interface Listing {
  documents: ListedDocument[];
  /** Names of the operator's choice that say no document, or not which one. */
  problems: readonly { name: string; reason: string }[];
}

/** The documents of a window, or chosen ones, with what 1C and the database know of their exchange. Writes nothing. */
export async function listDocuments(
  { reader, mapping }: UsableOnec,
  tx: Tx,
  wanted: { range: Range; only: readonly string[] | undefined },
): Promise<Listing> {
  const heads: OnecHead[] = [];
  let problems: Listing['problems'] = [];
  if (wanted.only === undefined) for await (const page of reader.heads(wanted.range)) heads.push(...page);
  else {
    const chosen = await chosenDocuments(reader, wanted.only);
    heads.push(...chosen.heads);
    problems = chosen.problems;
  }
  const read = await reader.documents(heads);
  const whole = [...read.values()].filter((one) => !(one instanceof Error)) as OnecDocument[];
  const knowledge: Knowledge = {
    rows: withStateNames(mapping.statuses, await reader.statesByName()),
    seen: await seenDocuments(tx, [...read.keys()]),
    links: await linkStates(tx, whole.flatMap(keysOf)),
  };
  const documents = heads.flatMap((head) => {
    const document = read.get(head.ref);
    if (document === undefined) return [];
    return [document instanceof Error ? unreadable(head, document) : listed(document, knowledge)];
  });
  documents.sort((a, b) => a.date.localeCompare(b.date, 'en') || a.number.localeCompare(b.number, 'en'));
  return { documents, problems };
}

interface Knowledge {
  rows: ReturnType<typeof withStateNames>;
  seen: ReadonlyMap<string, SeenDocument>;
  links: ReadonlyMap<string, LinkState>;
}

function keysOf(document: OnecDocument): string[] {
  return [keys.deal(sourceOf(document)), ...(document.client === undefined ? [] : [clientKey(document.client)])];
}

function listed(document: OnecDocument, { rows, seen, links }: Knowledge): ListedDocument {
  const { client, marks } = document;
  const deal = links.get(keys.deal(sourceOf(document)));
  const dealId = marks.amoId ?? idOf(deal);
  const stage = stageOf(document, deal, rows);
  return {
    ...{ ref: document.ref, type: document.type, number: document.number, date: document.date },
    // A client may be called by its phone.
    client: client === undefined ? null : cleanText(client.name),
    amount: document.amountMinor / 100,
    deal_id: dealId ?? null,
    client_id: (client && (client.amoId ?? idOf(links.get(clientKey(client))))) ?? null,
    state: document.state?.name ?? null,
    pipeline_id: stage?.pipeline ?? null,
    stage_id: stage?.status ?? null,
    written_at: document.writtenAt ?? marks.writtenAt ?? null,
    exported_at: marks.exportedAt ?? null,
    exchange: dealId === undefined ? 'new' : exchangeOf(document, seen.get(document.ref)),
    lines: document.lines.map(lineOf),
  };
}

function idOf(link: LinkState | undefined): number | undefined {
  return link === undefined ? undefined : Number(link.remoteId);
}

/** Where the deal stands or would go: of several stages of one state the one that was last asked for. */
function stageOf(document: OnecDocument, deal: LinkState | undefined, rows: Knowledge['rows']) {
  const place = placeOf(document);
  const last = (deal?.planned ?? null) as DealState | null;
  const stays = stagesOf(rows, place).find((row) => row.pipeline === last?.pipelineId && row.status === last.statusId);
  return stays ?? stageFor(rows, place);
}

/**
 * What an export has seen just like this it leaves alone, and what an import has written since. Of others 1C's own dates
 * tell, as far as it keeps them; they are whole seconds, so that equal ones vouch for nothing once the document is another.
 */
function exchangeOf(document: OnecDocument, seen: SeenDocument | undefined): Exchange {
  if (seen?.signature === signatureOf(document)) return 'exchanged';
  if (seen === undefined) return isExchanged(document) ? 'exchanged' : 'changed';
  const { exportedAt = '', updatedAt = '', writtenAt } = document.marks;
  const written = document.writtenAt ?? writtenAt;
  if (written === undefined) return 'changed';
  const isImported = seen.importedState === document.state?.name && updatedAt >= written;
  return exportedAt > written || (seen.importedState !== undefined && isImported) ? 'exchanged' : 'changed';
}

function lineOf({ kind, article, maker, name, priceMinor, quantity, totalMinor, amoId }: OnecLine): ListedLine {
  return {
    ...{ work: kind === 'work', article, maker, name, quantity },
    ...{ price: priceMinor / 100, sum: totalMinor / 100, catalog_id: amoId ?? null },
  };
}

function unreadable({ ref, type, number, date, writtenAt }: OnecHead, { message }: Error): ListedDocument {
  return {
    ...{ ref, type, number, date, client: null, amount: null, deal_id: null, client_id: null, state: null },
    ...{ pipeline_id: null, stage_id: null, written_at: writtenAt ?? null, exported_at: null },
    ...{ exchange: 'changed', lines: [], fault: cleanText(message) },
  };
}
