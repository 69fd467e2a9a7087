import { cleanText } from '../../base/redact.ts';
import type { Effect } from '../../domain/effect.ts';
import { clientOf } from '../../jobs/onec-import-deal.ts';
import { dealReading } from '../../jobs/onec-import-reading.ts';
import { isImported, rowOf } from '../../jobs/onec-import-state.ts';
import type { OnecJobContext } from '../../jobs/onec-reading.ts';
import { type Reading, readAll } from '../../runner/reading.ts';
import { planSink } from '../../runner/sink.ts';
import type { Database } from '../../state/database.ts';
import { seenDocuments } from '../../state/onec-documents.ts';
import type { Deal } from '../../systems/amocrm/schema.ts';
import { KINDS, keys, type StatePayload } from '../../systems/onec/effects/payloads.ts';

/** A deal of the window, its document, and what an import would do. */
export interface ListedDeal {
  deal_id: number;
  /** The document's number, else its reference; null: it has none. */
  document: string | null;
  client_id: number | null;
  is_company: boolean;
  amount: number;
  pipeline_id: number;
  stage_id: number;
  /** The state that the stage stands for. */
  state: string | null;
  would: string;
}

/**
 * The deals that an import would read, by the import's own reading and planning, and what would come of each. Nothing is
 * written, provided that the context is one of a dry run.
 */
export async function listDeals(
  context: OnecJobContext,
  database: Database,
  range: { from: Date; to: Date },
): Promise<ListedDeal[]> {
  const deals = new Map<number, Deal>();
  const documents = new Map<number, string>();
  const reading = watched(dealReading(context), deals, documents);
  const sink = planSink({ database, now: context.now });
  const { counts, signal, log, only } = context;
  await readAll(reading, {
    ...{ job: 'onec:list', slices: [range], sink, counts, signal, log },
    ...(only === undefined ? {} : { only }),
  });
  const problems = new Map(sink.problems.map(({ record, reason }) => [record.key, reason]));
  const numbers = await numbersOf([...documents.values()], context, database);
  const { statuses } = context.clients.onec.mapping;
  return [...deals.values()].map((deal) => {
    const client = clientOf(deal);
    const document = documents.get(deal.id);
    const staged = { dealId: deal.id, pipelineId: deal.pipelineId, statusId: deal.statusId };
    const problem = problems.get(String(deal.id));
    const effects = sink.effects.filter(({ record }) => record.key === String(deal.id));
    const idle = document !== undefined || isImported(staged, statuses) ? 'nothing' : 'nothing: no state at this stage';
    return {
      ...{ deal_id: deal.id, amount: deal.price, pipeline_id: deal.pipelineId, stage_id: deal.statusId },
      document: document === undefined ? null : (numbers.get(document) ?? document),
      ...{ client_id: client?.id ?? null, is_company: client?.kind === 'company' },
      state: rowOf(staged, statuses)?.state ?? null,
      would: problem === undefined ? (wouldBe(effects) ?? idle) : `refused: ${cleanText(problem)}`,
    };
  });
}

/** The reading, with what it has read and found noted down. */
function watched(reading: Reading<Deal>, deals: Map<number, Deal>, documents: Map<number, string>): Reading<Deal> {
  return {
    ...reading,
    prepare: async (page, state) => {
      const adopted = (await reading.prepare?.(page, state)) ?? [];
      for (const deal of page) {
        deals.set(deal.id, deal);
        const link = state.links.get(keys.document(deal.id));
        if (link !== undefined) documents.set(deal.id, link.remoteId);
      }
      for (const { record, dealId: ref } of adopted) documents.set(Number(record.key), String(ref));
      return adopted;
    },
  };
}

function wouldBe(effects: readonly Effect[]): string | undefined {
  const kinds = new Set(effects.map(({ kind }) => kind));
  if (kinds.has(KINDS.workOrder)) return kinds.has(KINDS.request) ? 'make a chain' : 'make a work order';
  if (kinds.has(KINDS.customerOrder)) return 'make an order';
  const state = effects.find(({ kind }) => kind === KINDS.state);
  if (state !== undefined) return `state → ${(state.payload as StatePayload).to.name}`;
  return effects.length === 0 ? undefined : 'complete the document';
}

/** Reference → number: as it was last seen here, else as 1C says. */
async function numbersOf(
  documents: readonly string[],
  { clients }: OnecJobContext,
  { db }: Database,
): Promise<Map<string, string>> {
  const refs = [...new Set(documents)];
  const numbers = new Map([...(await seenDocuments(db, refs))].map(([ref, { number }]) => [ref, number]));
  const reader = await clients.onec.reader();
  for (const ref of refs) {
    const number = numbers.get(ref) ?? (await reader.head(ref))?.number;
    if (number !== undefined) numbers.set(ref, number);
  }
  return numbers;
}
