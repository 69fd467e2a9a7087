import { type AmiMessage, field } from './ami-wire.ts';
import {
  clientNumber,
  dialledNumber,
  isOriginated,
  type Leg,
  leadsOutside,
  legsOf,
  type PartyRules,
} from './parties.ts';

/** What is known of one call while it goes on. */
export interface LiveCall {
  linkedid: string;
  /** When the first event of it came, ms. */
  since: number;
  /** Absent: not known yet, or between colleagues. */
  direction: 'in' | 'out' | undefined;
  /** The client's number as the PBX wrote it; absent: anonymous. */
  phone: string | undefined;
  /** Our own number that was called. */
  did: string | undefined;
  /** The first channel: who began the call. */
  root: { leg: Leg; exten: string };
  /** Uniqueids of channels that live. */
  channels: Set<string>;
  /** Extensions that concern the client: rung by him, or that called him. */
  codes: Set<string>;
  /** Of those: not told of yet; in order. */
  untold: string[];
  /** Since when there is something untold, ms. */
  untoldSince: number;
  /** An `in` or `out` was told. */
  isTold: boolean;
  /** Who of ours picked up. */
  answeredBy: Set<string>;
  isAnswered: boolean;
  isAbandoned: boolean;
  /** DialStatus of every attempt that ended without an answer. */
  statuses: Set<string>;
  lastCause: string;
}

/** Contexts in which FreePBX takes calls from outside. */
const fromOutside = /^(from-(trunk|pstn|did-direct)|ext-did)/;
/** Below that a dialled text is no number of ours that the world knows. */
const ownNumber = /^\+?\d{5,}$/;

/** Makes a call of its first channel, as a Newchannel or the caller's part of a DialBegin shows it. */
export function newCall(event: AmiMessage, rules: PartyRules, now: number): LiveCall {
  const { a: leg } = legsOf(partyRow(event), rules);
  const exten = field(event, 'exten');
  const caller = clientNumber(field(event, 'calleridnum'), rules);
  const isStrange = leg.kind === 'other' && caller !== undefined;
  const isIncoming =
    !isClick(event) &&
    leg.extension === undefined &&
    (leg.kind === 'trunk' || fromOutside.test(field(event, 'context')) || isStrange);
  return {
    linkedid: field(event, 'linkedid'),
    since: now,
    direction: isIncoming ? 'in' : undefined,
    phone: isIncoming ? caller : undefined,
    did: isIncoming && ownNumber.test(exten) ? exten : undefined,
    root: { leg, exten },
    channels: new Set(),
    codes: new Set(),
    untold: [],
    untoldSince: 0,
    isTold: false,
    answeredBy: new Set(),
    isAnswered: false,
    isAbandoned: false,
    statuses: new Set(),
    lastCause: '',
  };
}

/** An attempt to reach somebody begins. */
export function dialBegins(call: LiveCall, event: AmiMessage, rules: PartyRules, now: number): void {
  const { a, b } = legsOf(partyRow(event), rules);
  if (call.direction === 'in') {
    if (b.extension !== undefined) concern(call, b.extension, now);
    return;
  }
  const outside = outsideNumber(call, event, b, rules);
  if (outside === undefined) return;
  call.direction = 'out';
  call.phone ??= outside;
  const caller = call.root.leg.extension ?? a.extension;
  if (caller !== undefined) concern(call, caller, now);
}

function concern(call: LiveCall, code: string, now: number): void {
  if (call.codes.has(code)) return;
  call.codes.add(code);
  if (call.untold.length === 0) call.untoldSince = now;
  call.untold.push(code);
}

/** The client's number, where this attempt leads to him and not to a colleague or a forwarded phone of one. */
function outsideNumber(call: LiveCall, event: AmiMessage, b: Leg, rules: PartyRules): string | undefined {
  if (b.extension !== undefined || b.kind === 'local' || b.kind === 'none') return undefined;
  // What a phone dialled stands with its first channel: later the dialplan shows places such as `s`. A loop or a click's
  // first channel says whom it rings instead.
  const isPhone = call.root.leg.kind === 'extension' && !isClick(event);
  const dst = isPhone && /^[+\d]/.test(call.root.exten) ? call.root.exten : field(event, 'exten');
  const row = { dst, lastapp: 'Dial', lastdata: `/${field(event, 'dialstring')}` };
  if (field(event, 'channel') === '' || !leadsOutside(row, rules)) return undefined;
  return dialledNumber(row, rules);
}

/** An attempt ends. A loop's answer says nothing of its own: what is beyond it tells of itself, and else it was a menu or voicemail. */
export function dialEnds(call: LiveCall, event: AmiMessage, rules: PartyRules): void {
  if (call.direction === undefined) return;
  const { b } = legsOf(partyRow(event), rules);
  const status = field(event, 'dialstatus');
  if (b.kind === 'local' || b.kind === 'none') return;
  if (status !== 'ANSWER') {
    call.statuses.add(status);
    return;
  }
  // The manager's own phone picks up first in a click-to-call; the client has not yet.
  if (call.direction === 'out' && b.extension !== undefined) return;
  call.isAnswered = true;
  if (b.extension !== undefined) call.answeredBy.add(b.extension);
}

export type HangupStatus = 'answered' | 'busy' | 'cancel' | 'failed' | 'no answered';

/** How the call ended, for RetailCRM. An incoming one that nobody picked up was missed, whoever gave up first. */
export function hangupStatus(call: LiveCall): HangupStatus {
  const { statuses, direction } = call;
  if (call.isAnswered) return 'answered';
  if (call.isAbandoned || statuses.has('NOANSWER')) return 'no answered';
  if (statuses.has('CANCEL')) return direction === 'out' ? 'cancel' : 'no answered';
  if (statuses.has('BUSY')) return 'busy';
  if (statuses.has('CHANUNAVAIL') || statuses.has('CONGESTION')) return 'failed';
  if (call.lastCause === '17') return 'busy';
  return failedCauses.has(call.lastCause) ? 'failed' : 'no answered';
}

/** Number unallocated, no route, phone absent or out of order, congestion, network (include/asterisk/causes.h). */
const failedCauses = new Set(['1', '3', '20', '27', '34', '38']);

/** A call that we began ourselves. */
function isClick(event: AmiMessage): boolean {
  return isOriginated({
    uniqueid: field(event, 'uniqueid'),
    linkedid: field(event, 'linkedid') || field(event, 'destlinkedid'),
    accountcode: field(event, 'accountcode'),
  });
}

/** An event's two ends in the words of call records, for the rules are the same. */
function partyRow(event: AmiMessage) {
  const isNew = field(event, 'event') === 'Newchannel';
  return {
    channel: field(event, 'channel'),
    dstchannel: field(event, 'destchannel'),
    cnum: field(event, 'calleridnum'),
    src: '',
    dst: isNew ? field(event, 'exten') : field(event, 'destcalleridnum'),
  };
}
