import { RemoteError } from '../base/remote-error.ts';
import type { Range } from '../domain/range.ts';
import { walk } from '../systems/amocrm/lists.ts';
import { mayFilter } from '../systems/amocrm/probed.ts';
import type { Deal } from '../systems/amocrm/schema.ts';
import type { AmoAccess } from './kaspi-compare.ts';

/** What a deal is read with. */
export const WITH: readonly string[] = ['contacts', 'companies', 'catalog_elements'];

/**
 * Deals that changed since the slice began, newest first, 250 a page. Neither the filter nor the order is believed: each row is
 * checked, and the walk ends early only where the rows are seen to be in order. Those that changed after the slice are
 * given as well; they are read once.
 */
export async function* changedDeals({ client, memory }: AmoAccess, { from }: Range): AsyncGenerator<Deal[]> {
  let filtered = await mayFilter(memory, 'deals');
  const order = { by: 'updated_at', direction: 'desc' } as const;
  const fromS = Math.floor(from.getTime() / 1000);
  let previous = Number.POSITIVE_INFINITY;
  let previousId = 0;
  let ordered = true;
  // A list by id looks ordered as well where an import gave all its rows one time.
  let byId = true;
  const listed = walk(async (page, limit) => {
    const query = { page, limit, order, with: WITH };
    if (!filtered) return client.listDeals(query);
    try {
      return await client.listDeals({ ...query, updatedFrom: from });
    } catch (error) {
      if (!(error instanceof RemoteError) || error.status !== 400) throw error;
      filtered = false;
      return client.listDeals(query);
    }
  });
  for await (const rows of listed) {
    for (const { id, updatedAt } of rows) {
      if (updatedAt > previous) ordered = false;
      if (id < previousId) byId = false;
      previous = updatedAt;
      previousId = id;
    }
    const changed = rows.filter(({ updatedAt }) => updatedAt >= fromS);
    if (changed.length > 0) yield changed;
    if (ordered && !byId && previous < fromS) return;
  }
}
