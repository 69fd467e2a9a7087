/** Rows by id, with what lagging readers still see of them. */
export interface Table<T extends { id: number }> {
  get(id: number): T | undefined;
  put(row: T): void;
  remove(id: number): void;
  all(): T[];
  size(): number;
  /** The rows as a reader sees them that is `lagMs` behind: the newest version older than that, or nothing. */
  listed(lagMs: number): T[];
}

interface Change<T> {
  at: number;
  before: T | undefined;
}

/** `nowMs` is the account's clock; `keepMs` says for how long the versions before a change are worth keeping (0: not at all). */
export function table<T extends { id: number }>(nowMs: () => number, keepMs: () => number): Table<T> {
  const rows = new Map<number, T>();
  const changes = new Map<number, Change<T>[]>();

  function remember(id: number): void {
    const keep = keepMs();
    if (keep <= 0) return;
    const at = nowMs();
    const kept = (changes.get(id) ?? []).filter((change) => change.at + keep > at);
    kept.push({ at, before: rows.get(id) });
    changes.set(id, kept);
  }

  function listed(lagMs: number): T[] {
    if (lagMs <= 0 || changes.size === 0) return [...rows.values()];
    const now = nowMs();
    const hidden = new Map<number, T | undefined>();
    for (const [id, list] of changes) {
      if (list.every((change) => change.at + Math.max(keepMs(), lagMs) <= now)) changes.delete(id);
      const unseen = list.find((change) => change.at + lagMs > now);
      if (unseen) hidden.set(id, unseen.before);
    }
    const seen = [...rows.values()].filter((row) => !hidden.has(row.id));
    for (const before of hidden.values()) if (before) seen.push(before);
    return seen;
  }

  return {
    get: (id) => rows.get(id),
    put: (row) => {
      remember(row.id);
      rows.set(row.id, row);
    },
    remove: (id) => {
      remember(id);
      rows.delete(id);
    },
    all: () => [...rows.values()],
    size: () => rows.size,
    listed,
  };
}
