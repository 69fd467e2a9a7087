/** An entry of RetailCRM's history, whatever it is the history of. */
export interface HistoryEntry {
  /** Of the customer or the order; undefined where the entry does not say whose it is. */
  of: number | undefined;
  deleted: boolean;
  /** Into whom it was merged. */
  combinedTo: number | undefined;
  source: string | undefined;
  field: string | undefined;
}

/** What a page of history asks for. */
export interface Changed {
  /** Ids of what is to be read anew, in ascending order. */
  read: number[];
  gone: number[];
  merged: { from: number; into: number }[];
}

/**
 * Takes entries as hints alone: fields go by other names there than in the API, and lists come as single values, so that
 * what has changed is read anew. What RetailCRM's own recalculation of segments writes is passed over: it is most of the
 * history and touches neither phones nor orders (vendor's PHP client and its Bitrix module, read 2026-11). Entries of our own
 * writes count: the tables follow those too.
 */
export function changedIn(entries: readonly HistoryEntry[]): Changed {
  const read = new Set<number>();
  const gone = new Set<number>();
  const merged = new Map<number, number>();
  for (const { of: id, deleted, combinedTo, source, field } of entries) {
    if (id === undefined || (source === 'code' && field === 'segments')) continue;
    if (combinedTo !== undefined && combinedTo !== id) {
      merged.set(id, combinedTo);
      read.add(combinedTo);
    } else if (deleted) gone.add(id);
    else read.add(id);
  }
  for (const id of gone) read.delete(id);
  for (const id of merged.keys()) {
    read.delete(id);
    gone.delete(id);
  }
  return {
    read: [...read].sort((a, b) => a - b),
    gone: [...gone],
    merged: [...merged].map(([from, into]) => ({ from, into })),
  };
}

/** Statuses of this group mean that nothing comes of the order (vendor's reference of statuses, read 2026-11). */
const CANCELLED = 'cancel';

/** Codes of the statuses of cancelled orders. */
export function cancelledCodes(statuses: readonly { code: string; group: string | undefined }[]): ReadonlySet<string> {
  return new Set(statuses.flatMap(({ code, group }) => (group === CANCELLED ? [code] : [])));
}
