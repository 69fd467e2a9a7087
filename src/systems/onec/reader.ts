import type { OnecReader } from './api.ts';
import { clientReader } from './clients.ts';
import { type OnecReaderOptions, readerContext, thingReader } from './context.ts';
import { resolveDefaults } from './defaults.ts';
import { documentReader, markedDocuments } from './documents.ts';
import { headReader } from './heads.ts';
import { itemReader } from './items.ts';
import { markReader } from './marks.ts';
import { checkNames } from './names.ts';
import { propertyReader } from './properties.ts';
import { stateReader } from './states.ts';

export { isNamed, withoutMissing } from './names.ts';

/**
 * 1C as the mapping describes it, for one run: what documents share is asked for once, reference data comes from the cache. Errors are
 * those of the client; a document that cannot be used is a fault of its own in the answer.
 */
export function onecReader(options: OnecReaderOptions): OnecReader {
  const context = readerContext(options);
  const things = thingReader(context);
  const properties = propertyReader(context);
  const marks = markReader(context, properties);
  const heads = headReader(context, marks);
  const states = stateReader(context, things);
  const clients = clientReader(context, things, marks);
  const items = itemReader(context, things, marks);
  return {
    ...heads,
    documents: documentReader(context, { things, marks, states, clients, items }),
    states: states.states,
    statesByName: states.statesByName,
    marks: marks.marks,
    byAmoId: marks.byAmoId,
    counterparties: clients.counterparties,
    clients: (refs) => clients.clients(refs.map((ref) => ref.toLowerCase())),
    clientsByContact: clients.clientsByContact,
    contractsOf: clients.contractsOf,
    client: async (ref) => (await clients.clients([ref.toLowerCase()])).get(ref.toLowerCase()),
    itemsByArticle: items.itemsByArticle,
    itemsByName: items.itemsByName,
    works: items.works,
    makersByName: items.makersByName,
    markedDocuments: (type, from) => markedDocuments(context, type, from),
    resolveDefaults: () => resolveDefaults(context),
    properties,
    checkNames: (how) => checkNames(context, how?.fresh ?? false),
  };
}
