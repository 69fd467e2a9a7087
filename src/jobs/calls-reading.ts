import type { Enterprise } from '../config/mapping-calls-types.ts';
import type { Call } from '../domain/call.ts';
import type { Reading } from '../runner/reading.ts';
import type { FoldRules } from '../systems/asterisk/fold.ts';
import { retailKeys } from '../systems/retailcrm/effects/payloads.ts';
import type { CallsJobContext, EnterpriseAccess } from './calls-access.ts';
import { CALL_RECORD, MISSED_RECORD } from './calls-effects.ts';
import { type MissedCall, planMissed, planTaskDone } from './calls-missed.ts';
import type { CallSource } from './calls-source.ts';

const PAGE = 500;

/** Less than the job's overlap: who waits longer than that for a recording might not be read any more. */
const LONGEST_WAIT_MS = 5 * 3_600_000;

/** By which rules an enterprise's rows become calls. */
export function foldRules(
  { extensions, trunks, internalLength, outboundPrefix, cdr }: Enterprise,
  now: Date,
): FoldRules {
  const names = new Set(extensions.keys());
  return { extensions: names, trunks, internalLength, outboundPrefix, quietMs: cdr.quietMs, now };
}

export interface CallReadingOptions {
  access: EnterpriseAccess;
  calls: CallSource;
  /** Is told each of the operator's names that means a call of this PBX. */
  found: (name: string) => void;
}

/** Calls with the outside world: uploaded once they are over, and kept as the rows and the mapping make them now. */
export function callReading(context: CallsJobContext, { access, calls, found }: CallReadingOptions): Reading<Call> {
  const { tables, now } = context;
  /** A recording's name may come later than the row; an uploaded call cannot be given it any more. */
  const awaitsRecording = ({ answered, recording, startedAt, endedAt }: Call) =>
    answered &&
    !recording &&
    access.recordingsBase !== undefined &&
    +endedAt + access.enterprise.recordings.graceMs > +now &&
    +startedAt + LONGEST_WAIT_MS > +now;

  return {
    recordKind: CALL_RECORD,
    pages: (slice) => calls.between(slice),
    again: (key) => calls.find(key),
    owns: (key) => calls.owns(key),
    chosen: async function* (names) {
      for (const name of names) {
        const id = calls.idOf(name);
        const call = id === undefined ? undefined : await calls.find(id);
        if (call === undefined) continue;
        found(name);
        yield [call];
      }
    },
    keyOf: ({ externalId }) => externalId,
    knownBy: (key) => retailKeys.call(key),
    wanted: (call) => call.closed && call.direction !== 'internal' && !awaitsRecording(call),
    plan: async (call) => calls.planned(call).plan,
    keep: (tx, kept) => {
      const rows = kept.flatMap((call) => calls.planned(call).stored ?? []);
      return rows.length === 0 ? Promise.resolve(0) : tables.calls.save(tx, rows, now);
    },
  };
}

/** Missed calls that ask to be called back: each makes a task, a draft order, or both. */
export function missedReading(
  context: CallsJobContext,
  { access, calls }: Pick<CallReadingOptions, 'access' | 'calls'>,
): Reading<MissedCall> {
  const { enterprise, zone } = access;
  const rules = { enterprise, zone, locale: context.settings.LOCALE };

  async function find(externalId: string): Promise<MissedCall | undefined> {
    const call = await calls.find(externalId);
    if (call !== undefined) await calls.survey({ from: call.startedAt, to: call.startedAt });
    return calls.contacts.find(externalId);
  }

  return {
    recordKind: MISSED_RECORD,
    pages: async function* (slice) {
      await calls.survey(slice);
      const { contacts } = calls;
      const missed = contacts
        .missed(slice)
        .filter((one) => contacts.asksForCallback(one) || contacts.wasCalledBack(one));
      for (let at = 0; at < missed.length; at += PAGE) yield missed.slice(at, at + PAGE);
    },
    again: find,
    owns: (key) => calls.owns(key),
    chosen: async function* (names) {
      for (const name of names) {
        const id = calls.idOf(name);
        const missed = id === undefined ? undefined : await find(id);
        if (missed !== undefined) yield [missed];
      }
    },
    keyOf: ({ externalId }) => externalId,
    knownBy: (key) => (enterprise.missed.task ? retailKeys.task(key) : retailKeys.order(key)),
    wanted: (missed) => calls.contacts.asksForCallback(missed),
    plan: async (missed) => planMissed(missed, rules),
    linksOf: (key) => [retailKeys.task(key)],
    change: async (missed, links) =>
      calls.contacts.wasCalledBack(missed) ? planTaskDone(missed, links, enterprise) : [],
    keep: async () => 0,
  };
}
