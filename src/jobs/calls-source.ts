import { assert } from '../base/errors.ts';
import type { Call } from '../domain/call.ts';
import type { Range } from '../domain/range.ts';
import type { CdrSource } from '../systems/asterisk/api.ts';
import { callsIn } from '../systems/asterisk/calls.ts';
import { foldCalls } from '../systems/asterisk/fold.ts';
import type { CallsJobContext, EnterpriseAccess } from './calls-access.ts';
import { type ContactBook, contactBook } from './calls-missed.ts';
import type { PlannedCall } from './calls-plan.ts';
import { foldRules } from './calls-reading.ts';

/** The calls of one enterprise as a pass reads them: each planned once, and noted for those that were missed. */
export interface CallSource {
  /** Calls that began in the range, page by page; such as are not over yet as well. */
  between(range: Range): AsyncGenerator<readonly Call[]>;
  /** By its external id; undefined where the PBX does not have it. */
  find(externalId: string): Promise<Call | undefined>;
  /** The external id that an operator means: `host:id`, or the id alone. undefined: a call of another PBX. */
  idOf(name: string): string | undefined;
  /** Whether an external id is of this PBX. */
  owns(externalId: string): boolean;
  /** Of a call that this source gave. */
  planned(call: Call): PlannedCall;
  /** Of all calls that were given or surveyed. */
  readonly contacts: ContactBook;
  /** Reads what was not read yet of the range and of what lies as far around it as a client may wait to be called back. */
  survey(range: Range): Promise<void>;
  /** Tells what an operator has to mend. Once a pass. */
  report(): void;
}

/** The rows come from `cdr`. What knows of phones is loaded with the first call. */
export function callSource(context: CallsJobContext, access: EnterpriseAccess, cdr: CdrSource): CallSource {
  const { enterprise } = access;
  const { missed } = enterprise;
  const prefix = `${enterprise.cdr.host}:`;
  const reachMs = missed.task || missed.order ? missed.dueMs : 0;
  const rules = foldRules(enterprise, context.now);
  const contacts = contactBook({ dueMs: missed.dueMs, withinMs: missed.withinMs, now: context.now });
  const complaints = complaintsOf(context, access);
  const plans = new WeakMap<Call, PlannedCall>();
  /** What began in it was noted. */
  let surveyed: Range | undefined;
  const isSurveyed = (range: Range) => joined(surveyed, range) === surveyed;

  async function noted(calls: readonly Call[]): Promise<readonly Call[]> {
    if (calls.length === 0) return calls;
    const { planCall } = await import('./calls-plan.ts');
    for (const call of calls) {
      const planned = planCall(call, access);
      plans.set(call, planned);
      if (reachMs > 0) contacts.note(call, planned);
    }
    complaints.note(calls);
    return calls;
  }
  async function* read(range: Range): AsyncGenerator<readonly Call[]> {
    for await (const page of callsIn(cdr, range, rules)) yield await noted(page);
    surveyed = joined(surveyed, range);
  }

  return {
    async *between({ from, to }) {
      // What began a little before decides whether the first missed calls of the range ask for anything; it is read along.
      const start = new Date(+from - reachMs);
      for await (const page of read({ from: isSurveyed({ from: start, to: from }) ? from : start, to })) {
        const own = page.filter(({ startedAt }) => startedAt >= from);
        if (own.length > 0) yield own;
      }
    },
    find: async (externalId) => {
      const calls = foldCalls(await cdr.rowsOf(externalId.slice(prefix.length)), rules);
      return (await noted(calls.filter((call) => call.externalId === externalId)))[0];
    },
    idOf: (name) => (name.startsWith(prefix) ? name : name.includes(':') ? undefined : prefix + name),
    owns: (externalId) => externalId.startsWith(prefix),
    planned: (call) => {
      const planned = plans.get(call);
      assert(planned !== undefined, 'a call was asked about that its source did not give');
      return planned;
    },
    contacts,
    survey: async ({ from, to }) => {
      const range = { from: new Date(+from - reachMs), to: new Date(Math.min(+to + reachMs, +context.now)) };
      if (isSurveyed(range)) return;
      for await (const _ of read(range)) if (context.signal.aborted) return;
    },
    report: () => complaints.report(cdr.skipped ?? 0),
  };
}

/** Both ranges as one where they touch, the first where it holds the other, else the other. */
function joined(one: Range | undefined, other: Range): Range {
  if (one === undefined || other.from > one.to || other.to < one.from) return other;
  if (other.from >= one.from && other.to <= one.to) return one;
  return { from: new Date(Math.min(+one.from, +other.from)), to: new Date(Math.max(+one.to, +other.to)) };
}

/** By how much rows' times may differ from the epoch in their ids before the zone is to blame. */
const SKEW_SECONDS = 900;

/** What an operator has to mend of the PBX's settings here, gathered call by call and told at the end. */
function complaintsOf({ log }: CallsJobContext, { enterprise, zone }: EnterpriseAccess) {
  const undirected = new Set<string>();
  let skewSeconds: number | undefined;

  return {
    note(calls: readonly Call[]) {
      for (const { direction, closed, externalId } of calls) {
        if (direction === 'unknown' && closed) undirected.add(externalId);
      }
      const told = calls.flatMap((call) => call.skewSeconds ?? []);
      const wrong = told.filter((seconds) => Math.abs(seconds) >= SKEW_SECONDS);
      if (wrong.length > told.length / 2) skewSeconds ??= wrong[0];
    },
    report(skipped: number) {
      if (skipped > 0) {
        log.warn(
          { enterprise: enterprise.number, rows: skipped },
          'rows of the call records are left out: they have no readable time or no id, or are broken lines',
        );
      }
      if (undirected.size > 0) {
        const [example] = undirected;
        log.warn(
          { enterprise: enterprise.number, calls: undirected.size, example },
          'calls whose direction cannot be told are kept and not uploaded; name the outside lines in `trunks` of the mapping',
        );
      }
      if (skewSeconds !== undefined) {
        log.warn(
          { enterprise: enterprise.number, zone, aheadSeconds: skewSeconds },
          "the PBX's times differ from those in the ids of its calls; set PBX_TIMEZONE, or `cdr.timezone` in the mapping, to the PBX's zone",
        );
      }
    },
  };
}
