import type { Clock } from '../../base/clock.ts';
import { AppError, ExitCode } from '../../base/errors.ts';
import { RemoteError } from '../../base/remote-error.ts';
import type { AmocrmClient } from './client.ts';
import { skuOf, writesOf } from './effects/good-match.ts';
import { walk } from './lists.ts';
import type { FilterAnswer, ProbeAnswers, ProbeQuestion } from './probed.ts';
import type { Page } from './schema.ts';

/** A change that no list shows in this time is `beyond`; the documentation speaks of seconds. */
export const LAG_LIMIT_MS = 20_000;
const POLL_MS = 1_000;
/** Ids are given out in one row to all accounts: the first one is nobody's who asks. */
const FOREIGN_ID = 1;
/** Enough for a list by time of change: what has just changed is on top. */
const TOP_ROWS = 50;
/** Where linking again adds rows, unlinking may take them away one by one. */
const UNLINK_ROUNDS = 4;
const ELEMENT = { name: 'sdelka: probe', sku: 'SDELKA-PROBE' };

export interface ProbeOptions {
  client: AmocrmClient;
  clock: Clock;
  signal: AbortSignal;
  /** The test deal, which nobody works with. */
  deal: { id: number; name: string };
  catalogId: number | undefined;
  /** Called as soon as a question is settled; what an account cannot tell (too few deals, say) is not settled. */
  keep<Q extends ProbeQuestion>(question: Q, answer: ProbeAnswers[Q]): Promise<void>;
}

/**
 * Asks the account itself what the documentation leaves open. Writes to nothing but the test deal, and to one test
 * element where there is a catalog; both are used again, and are afterwards as they were.
 */
export async function askAccount(options: ProbeOptions): Promise<void> {
  const keep = async <Q extends ProbeQuestion>(question: Q, answer: ProbeAnswers[Q] | undefined) => {
    if (answer !== undefined) await options.keep(question, answer);
    return answer;
  };
  const { client, deal } = options;
  const newest = { page: 1, order: { by: 'id', direction: 'desc' } } as const;
  const deals = await client.listDeals(newest);
  const contacts = await client.listContacts(newest);
  const order = await keep('order', orderOf([deals, contacts]));
  await keep('page', pageSizeOf([deals, contacts]));
  if (deals.rows.length > 1) {
    const { more } = await client.listDeals({ page: 1, limit: 1 });
    await keep('next', more ? 'given' : 'missing');
  }
  await keep('lag', await askLag(options, order === 'honoured'));
  await keep('filters:deals', await askFilter(client.listDeals, deal.id));
  await keep('filters:contacts', await askFilter(client.listContacts, contacts.rows[0]?.id));
  await keep('relink', await askRelink(options));
}

type AnyPage = Page<{ id: number }>;

/** A list of one row has no order. */
function orderOf(pages: readonly AnyPage[]): ProbeAnswers['order'] | undefined {
  const telling = pages.filter(({ rows }) => rows.length > 1);
  if (telling.length === 0) return undefined;
  const falls = ({ rows }: AnyPage) => rows.every((row, index) => index === 0 || row.id < (rows[index - 1]?.id ?? 0));
  return telling.every(falls) ? 'honoured' : 'ignored';
}

/** A page that is not the last one shows how many rows a page has; a short account cannot tell. */
function pageSizeOf(pages: readonly AnyPage[]): number | undefined {
  const full = pages.filter(({ rows, more }) => more || rows.length >= 250).map(({ rows }) => rows.length);
  return full.length === 0 ? undefined : Math.min(...full);
}

type ListById = (query: { page: number; ids: readonly number[] }) => Promise<AnyPage>;

/** Asked for one that exists and for one that does not: only a list that gives exactly the first one follows the filter. */
async function askFilter(list: ListById, id: number | undefined): Promise<FilterAnswer | undefined> {
  if (id === undefined) return undefined;
  const ask = async (wanted: number) => (await list({ page: 1, ids: [wanted] })).rows;
  try {
    const own = await ask(id);
    const strangers = [...own.filter((row) => row.id !== id), ...(await ask(FOREIGN_ID))];
    if (strangers.length > 0) return 'ignored';
    return own.length > 0 ? 'honoured' : undefined;
  } catch (error) {
    if (error instanceof RemoteError && error.status === 400) return 'refused';
    throw error;
  }
}

/** The test deal gets a mark in its name for the while; a mark left by a killed probe is taken away by the next one. */
async function askLag(options: ProbeOptions, ordered: boolean): Promise<ProbeAnswers['lag'] | undefined> {
  const { client, clock, deal } = options;
  // In base 36 and with a prefix: a word of the name must never look like an order's code.
  const mark = `${deal.name} (probe-${clock.now().getTime().toString(36)})`;
  await client.updateDeals([{ id: deal.id, name: mark }]);
  try {
    return await untilListed(options, ordered, mark);
  } finally {
    await client.updateDeals([{ id: deal.id, name: deal.name }]);
  }
}

async function untilListed({ client, clock, signal, deal }: ProbeOptions, ordered: boolean, mark: string) {
  const query = ordered
    ? { page: 1, limit: TOP_ROWS, order: { by: 'updated_at', direction: 'desc' } as const }
    : { page: 1, limit: 250 };
  const since = clock.now().getTime();
  let shown = false;
  while (!signal.aborted) {
    const row = (await client.listDeals(query)).rows.find(({ id }) => id === deal.id);
    const waitedMs = clock.now().getTime() - since;
    if (row?.name === mark) return waitedMs;
    shown ||= row !== undefined;
    // A long list without order has the deal on another page, which says nothing of its lag.
    if (waitedMs >= LAG_LIMIT_MS) return ordered || shown ? 'beyond' : undefined;
    await clock.sleep(POLL_MS, signal);
  }
  return undefined;
}

async function askRelink({ client, deal, catalogId }: ProbeOptions): Promise<ProbeAnswers['relink'] | undefined> {
  if (catalogId === undefined) return undefined;
  const link = { dealId: deal.id, elementId: await probeElement(client, catalogId), catalogId };
  const quantities = async () =>
    ((await client.linksOfDeals([deal.id])).get(deal.id) ?? [])
      .filter(({ elementId }) => elementId === link.elementId)
      .map(({ quantity }) => quantity);
  const clear = async () => {
    for (let round = 0; round < UNLINK_ROUNDS && (await quantities()).length > 0; round++) {
      await client.unlinkDeals([link]);
    }
  };
  await clear();
  try {
    await client.linkDeals([{ ...link, quantity: 2 }]);
    await client.linkDeals([{ ...link, quantity: 3 }]);
    return relinkOf((await quantities()).reduce((sum, quantity) => sum + quantity, 0));
  } finally {
    await clear();
  }
}

function relinkOf(total: number): ProbeAnswers['relink'] | undefined {
  if (total === 3) return 'replaces';
  if (total === 5) return 'adds';
  return total === 2 ? 'keeps' : undefined;
}

/** Looked for by search, which lags, then in the whole catalog: there must never be a second one. */
async function probeElement(client: AmocrmClient, catalogId: number): Promise<number> {
  const fields = await client.listFields({ catalogId });
  const isOurs = (element: Parameters<typeof skuOf>[0] & { isDeleted: boolean }) =>
    !element.isDeleted && skuOf(element, fields) === ELEMENT.sku;
  const hit = (await client.searchElements(catalogId, ELEMENT.sku)).find(isOurs);
  if (hit) return hit.id;
  for await (const rows of walk((page, limit) => client.listElements(catalogId, { page, limit }))) {
    const found = rows.find(isOurs);
    if (found) return found.id;
  }
  const made = await client.createElements(catalogId, [
    { requestId: 'probe', name: ELEMENT.name, fields: writesOf(ELEMENT, fields) },
  ]);
  const id = made.get('probe');
  if (id !== undefined) return id;
  throw new AppError({
    code: 'AMO_PROBE_ELEMENT_LOST',
    kind: 'transient',
    exit: ExitCode.Unavailable,
    message: 'amoCRM did not say which element of the catalog it made',
    hint: 'Run the probe again: it looks for the element by its article first.',
  });
}
