import { usageError } from '../../base/errors.ts';
import { type Chance, chance, wheel } from './chance.ts';
import { INCOMING, type Maker } from './incoming.ts';
import type { CallKind, CallTruth, CdrOptions, CdrRecord, CdrScript, LateRecord } from './model.ts';
import { type Client, clientOf } from './numbers.ts';
import { callerOf, OUTGOING } from './outgoing.ts';
import { type Options, Pbx, type Written } from './pbx.ts';

/** How often each kind comes, in a firm with queues and a ring group. */
const USUAL: Readonly<Record<CallKind, number>> = {
  direct: 16,
  noAnswer: 5,
  busy: 2,
  failed: 1,
  ringGroup: 12,
  ringGroupMissed: 3,
  phoneQueue: 3,
  queue: 34,
  queueMissed: 3,
  menuQueue: 6,
  menuOnly: 2,
  voicemail: 2,
  anonymous: 1,
  anonymousMissed: 1,
  localNumber: 1,
  blindTransfer: 2,
  attendedTransfer: 2,
  foreignConsultation: 1,
  followMe: 2,
  followMeMobile: 1,
  calledBack: 2,
  out: 14,
  outNoAnswer: 5,
  outBusy: 2,
  outSecondLine: 1,
  outHandedOver: 1,
  click: 2,
  clickNoAnswer: 1,
  internal: 5,
};

const MAKERS: Readonly<Record<CallKind, Maker>> = { ...INCOMING, ...OUTGOING };

/** Kinds whose rows are all of one channel: the ones that a table without linkedid can tell from each other. */
export const SINGLE_CHANNEL_KINDS: Partial<Record<CallKind, number>> = {
  ...{ direct: 10, noAnswer: 4, busy: 1, failed: 1, ringGroup: 4, ringGroupMissed: 1, phoneQueue: 2, menuOnly: 1 },
  ...{
    voicemail: 1,
    anonymous: 1,
    blindTransfer: 1,
    out: 8,
    outNoAnswer: 2,
    outBusy: 1,
    outSecondLine: 1,
    internal: 2,
  },
};

/** The last calls need that long to come to their end. */
const TAIL_MS = 15 * 60_000;
const MINUTE_MS = 60_000;

function completed(given: CdrOptions): Options {
  const calls = given.calls ?? 100;
  return {
    seed: 1,
    host: 'pbx1',
    zone: 'Europe/Moscow',
    country: 'RU',
    kinds: USUAL,
    phones: Math.max(1, Math.ceil(calls * 0.4)),
    extensions: ['201', '202', '203', '204'],
    trunk: 'PJSIP/trunk-a',
    did: '74950000001',
    outboundPrefix: '',
    repeats: 0.01,
    late: 0,
    ...given,
    calls,
    from: Number(given.from),
    to: Number(given.to),
  };
}

/** When the calls begin, in order; every tenth in the same second as the one before. */
function beginnings({ from, to, calls }: Options, random: Chance): number[] {
  const span = to - from - Math.min(TAIL_MS, (to - from) / 2);
  let last = 0;
  return Array.from({ length: calls }, (_, index) => {
    if (index % 10 !== 5) last = Math.floor((from + ((index + random.next()) * span) / calls) / 1000) * 1000;
    return last;
  });
}

/** Takes rows of the call out of those in time: the last one that is not its first channel's, or all where there is no such. */
function delay(
  rows: Written[],
  linkedid: string,
  random: Chance,
): { rows: Written[]; late: LateRecord[]; how: 'part' | 'whole' } {
  const at = (one: Written) => one.at + random.between(20, 180) * MINUTE_MS;
  const extra = rows.findLastIndex(({ record }) => record.uniqueid !== linkedid);
  const held = extra < 0 ? rows : rows.slice(extra, extra + 1);
  const late = held.map((one) => ({ writtenAt: at(one), record: one.record }));
  return { rows: rows.filter((one) => !held.includes(one)), late, how: extra < 0 ? 'whole' : 'part' };
}

/**
 * The call records of a firm over a span of time, as real PBXes write them, and what must come out of them. The same
 * options give the same script on every machine. Throws a usage error where there are no two extensions, no kind, or no time.
 */
export function generateCdr(given: CdrOptions): CdrScript {
  const options = completed(given);
  const { extensions, kinds, from, to, repeats } = options;
  const weights = Object.entries(kinds) as [CallKind, number][];
  if (extensions.length < 2) throw usageError('call records: at least two extensions are needed');
  if (!weights.some(([, weight]) => weight > 0)) throw usageError('call records: at least one kind is needed');
  if (!(from < to)) throw usageError('call records: they need a span of time');
  const random = chance(options.seed);
  const pbx = new Pbx(options, random);
  const clients: Client[] = Array.from({ length: options.phones }, (_, nth) => clientOf(nth, options.country, random));
  const kindOf = wheel(weights, 'direct');
  const rows: Written[] = [];
  const late: LateRecord[] = [];
  const truth: CallTruth[] = [];
  for (const at of beginnings(options, random)) {
    const client = random.pick(clients, clients[0] as Client);
    const first = random.below(extensions.length);
    const second = (first + 1 + random.below(extensions.length - 1)) % extensions.length;
    const people = { first: extensions[first] ?? '', second: extensions[second] ?? '' };
    const party = { client, written: '' };
    const written = callerOf({ pbx, party });
    const made = MAKERS[kindOf(random)]({ pbx, at, party: { client, written }, ...people });
    for (const [nth, script] of made.scripts.entries()) {
      const told = made.truth[nth] as CallTruth;
      const delayed = random.next() < options.late ? delay(script.written, script.linkedid, random) : undefined;
      for (const row of delayed?.rows ?? script.written) {
        rows.push(row);
        if (random.next() < repeats) rows.push(row);
      }
      late.push(...(delayed?.late ?? []));
      truth.push(delayed ? { ...told, late: delayed.how } : told);
    }
  }
  rows.sort((one, other) => one.at - other.at);
  late.sort((one, other) => one.writtenAt - other.writtenAt);
  truth.sort((one, other) => one.startedAt - other.startedAt);
  return { options, records: rows.map(({ record }): CdrRecord => record), late, truth };
}
