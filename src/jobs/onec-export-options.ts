import { createHash } from 'node:crypto';
import type { OnecMapping } from '../config/mapping-onec-types.ts';
import type { OnecDocument, OnecHead } from '../domain/onec.ts';
import { DOCUMENT_RECORD, type DocumentOptions, stagelessState, stateSubject } from './onec-export-deal.ts';
import { type OnecJobContext, type UsableOnec, zoneOf } from './onec-reading.ts';

const DAY_MS = 86_400_000;
/** What the alert of deals without goods is about; there is one for the account. */
const CATALOG_SUBJECT = 'onec:export:catalog';

/** What planning needs, found out with the first document that is to be planned: an idle pass does without. */
export function optionsOnce(context: OnecJobContext, onec: UsableOnec): () => Promise<DocumentOptions> {
  let options: Promise<DocumentOptions> | undefined;
  return () => {
    options ??= readOptions(context, onec);
    return options;
  };
}

async function readOptions(context: OnecJobContext, { reader, mapping }: UsableOnec): Promise<DocumentOptions> {
  const { settings, now, adopting } = context;
  const states = await reader.statesByName();
  return {
    mapping: { ...mapping, statuses: withStateNames(mapping.statuses, states) },
    phoneEnum: context.mapping.amo.contact.phoneEnum,
    pipelineId: settings.AMO_PIPELINE_ID,
    statusId: settings.AMO_STATUS_ID,
    responsibleUserId: settings.AMO_RESPONSIBLE_USER_ID,
    catalogId: await goodsCatalog(context),
    zone: zoneOf(context, mapping),
    now,
    backfill: adopting,
  };
}

/** Tells mappings apart by which the same document would give another deal. */
export function exportRules({ clients, settings }: Pick<OnecJobContext, 'clients' | 'settings'>): string {
  const { documents, statuses, fields, catalog, export: how } = clients.onec.mapping;
  const rules = JSON.stringify([documents, statuses, fields, catalog, how, settings.AMO_CATALOG_ID]);
  return createHash('sha256').update(rules).digest('hex').slice(0, 16);
}

/** Rows may name a state as programs do (its predefined name); documents show the name that people see. */
export function withStateNames(
  rows: OnecMapping['statuses'],
  states: ReadonlyMap<string, { name: string }>,
): OnecMapping['statuses'] {
  return rows.map((row) => {
    const known = row.state === null ? undefined : states.get(row.state.trim().toLowerCase());
    return known === undefined ? row : { ...row, state: known.name };
  });
}

/** Lists of goods need an extended plan of amoCRM; without them deals go without goods, and people are told so. */
async function goodsCatalog({ settings, clients, tables, log, now }: OnecJobContext): Promise<number | undefined> {
  const catalogId = settings.AMO_CATALOG_ID;
  const { client, memory } = await clients.amocrm();
  const isThere =
    catalogId !== undefined &&
    (await memory.cached<boolean>(`amocrm:catalog-available:${catalogId}`, DAY_MS, () =>
      client.catalogAvailable(catalogId),
    ));
  if (isThere) {
    await tables.deals.clear('goods_off', CATALOG_SUBJECT, now);
    return catalogId;
  }
  const reason =
    catalogId === undefined ? 'AMO_CATALOG_ID is not set' : `the account shows no list with the id ${catalogId}`;
  log.warn({ reason }, 'deals go without goods');
  const cure = 'see that the plan of the account has lists and that AMO_CATALOG_ID names the one of goods';
  await tables.deals.report('goods_off', CATALOG_SUBJECT, `Deals of 1C go without goods: ${reason}; ${cure}`, now);
  return undefined;
}

/** What people are told of documents beside what failed. */
export function dealReports({ tables, now, log }: OnecJobContext) {
  /** States of which this pass has told, either way. */
  const told = new Set<string>();
  const goneSubject = ({ ref }: Pick<OnecHead, 'ref'>) => `${DOCUMENT_RECORD}:${ref}`;
  return {
    /** A state without a row is told of once, whatever documents are in it. */
    state: async (document: OnecDocument, options: DocumentOptions): Promise<void> => {
      const subject = stateSubject(document.state?.name ?? '');
      if (document.state === undefined || told.has(subject)) return;
      told.add(subject);
      const stageless = stagelessState(document, options);
      if (stageless === undefined) {
        await tables.deals.clear('mapping', subject, now);
        return;
      }
      log.warn({ state: document.state.name }, 'a state has no row in onec.statuses; deals keep their stage');
      await tables.deals.report('mapping', subject, stageless.message, now);
    },
    gone: (document: OnecDocument, dealId: number): Promise<void> => {
      const what = `1C document ${document.number}: deal ${dealId} is gone in amoCRM; it is not made again`;
      const cure = 'to have it made anew, clear the deal id in the additional information and write the document';
      return tables.deals.report('deal_gone', goneSubject(document), `${what} (${cure})`, now);
    },
    /** A document that was told of stands again, or is made anew. */
    stands: (document: OnecDocument): Promise<void> => tables.deals.clear('deal_gone', goneSubject(document), now),
    /** The deal is left to people: a mark may be a slip, and who has set it may not know of the deal. */
    marked: ({ ref, number }: OnecHead, dealId: string): Promise<void> => {
      const message = `1C document ${number} is marked for deletion; its deal ${dealId} is left as it is`;
      return tables.deals.report('document_gone', goneSubject({ ref }), message, now);
    },
    unmarked: (head: OnecHead): Promise<void> => tables.deals.clear('document_gone', goneSubject(head), now),
  };
}
