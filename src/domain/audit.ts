/** What an audit can find of an order, in the order in which people should look at it. */
export const DIFFERENCE_KINDS = [
  'lost',
  'doubled',
  'deal_gone',
  'unbound',
  'wrong_sum',
  'wrong_stage',
  'missing_goods',
] as const;

export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

/** One thing on which the two sides do not agree. Holds ids and figures, never names or phones. */
export interface Difference {
  kind: DifferenceKind;
  order: string;
  /** When the order was placed, ISO-8601 UTC. */
  at: string;
  /** The same as a day in TIMEZONE. */
  day: string;
  deals: number[];
  found?: string | number;
  expected?: string | number;
}

/** Both sides of one day as sets. */
export interface AuditDay {
  day: string;
  /** Orders that should have a deal. */
  kaspi: number;
  /** Deals of those orders. */
  amocrm: number;
  differences: number;
}

/** What one audit of a stream came to; kept, and shown by `status`. */
export interface Audit {
  stream: 'kaspi';
  at: string;
  from: string;
  to: string;
  days: AuditDay[];
  /** How many of each kind. */
  counts: { [kind in DifferenceKind]?: number };
  differences: Difference[];
  /** Orders too young or too busy to be judged. */
  on_its_way: string[];
  /** Deals with a code that Kaspi did not list for this time: told, not counted, since old orders age out. */
  orphans: { order: string; deal: number }[];
}

/** What our own database knows of an order. */
export interface KnownOrder {
  /** The deal that it is bound to. */
  dealId?: number;
  /** When that was last written, ISO-8601 UTC. */
  boundAt?: string;
  /** Whether a create of its deal was ever planned. */
  planned: boolean;
  /** The deal was made by another integrator. */
  adopted: boolean;
  /** An effect of it waits, is being sent or failed, or the record is kept among the failed ones. */
  underWay: boolean;
  /** An operator has set the record aside for good. */
  setAside: boolean;
  /** What people have changed, by the words of the open alerts: `the budget`, `the stage`, `goods SKU`. */
  conflicts: string[];
  /** The order as it was last seen. */
  seen?: { state: string; status: string; totalMinor: number; changedAt?: string };
}

/** What an audit reads and keeps beside the remote systems. `state/` fills this port; a dry run keeps nothing. */
export interface AuditBook {
  last(stream: Audit['stream']): Promise<Audit | undefined>;
  /** The last good pass of a job. */
  heartbeat(job: string): Promise<Date | undefined>;
  known(recordKind: string, orders: readonly { code: string; dealKey: string }[]): Promise<Map<string, KnownOrder>>;
  /** `messages` holds the alert's text of each kind that was found; alerts of the other kinds are closed. */
  keep(audit: Audit, messages: ReadonlyMap<DifferenceKind, string>): Promise<void>;
}

/** An account with thousands of differences has one cause; so many of each kind tell it. */
const KEPT = 200;

/** Cut to what is worth keeping; the counts stay whole. */
export function trimAudit(audit: Audit): Audit {
  const left = new Map<DifferenceKind, number>();
  const differences = audit.differences.filter(({ kind }) => {
    const count = (left.get(kind) ?? 0) + 1;
    left.set(kind, count);
    return count <= KEPT;
  });
  return {
    ...audit,
    differences,
    on_its_way: audit.on_its_way.slice(0, KEPT),
    orphans: audit.orphans.slice(0, KEPT),
  };
}
