import { dialledPhone } from '../../domain/dialled-phone.ts';
import { dialBegins, dialEnds, type HangupStatus, hangupStatus, type LiveCall, newCall } from './ami-call.ts';
import { type AmiMessage, field } from './ami-wire.ts';
import type { PartyRules } from './parties.ts';

export interface EventRules extends PartyRules {
  /** Code of the PBX host, the first part of every call's name. */
  host: string;
  /** ISO country of phones without a country code. */
  country: string;
}

/** What RetailCRM is to be told of a call that goes on right now. */
export interface RetailCallEvent {
  type: 'in' | 'out' | 'hangup';
  /** E.164, or as the PBX wrote it where it is no full number. */
  phone: string;
  /** Extensions: who is rung, who called; of a hang-up who answered, else who was rung or called. */
  codes: readonly string[];
  hangupStatus?: HangupStatus;
  /** Our own number that was called, as the PBX wrote it. */
  externalPhone?: string;
  /** The same as the uploaded call's externalId: `host:linkedid`. */
  callExternalId: string;
}

export interface CallEvents {
  /** Takes an event that came at `now` (ms); gives what is ripe by then. */
  push(event: AmiMessage, now: number): RetailCallEvent[];
  /** What has ripened by `now` without an event. */
  ripe(now: number): RetailCallEvent[];
  /** When `ripe` will have something; undefined: nothing waits. */
  ripeAt(): number | undefined;
  /** Forgets every call: after a lost connection nobody knows which of them still go on. */
  reset(): void;
  /** How many calls are kept in mind. */
  readonly size: number;
}

/** All phones of a ring group begin to ring within that time, and make one event. */
const GROUP_MS = 300;
/** The end of a call may have been missed. */
const LONGEST_CALL_MS = 6 * 60 * 60 * 1000;
const MOST_CALLS = 10_000;

/**
 * AMI's events → RetailCRM's: `in` when extensions are rung by a client, again when others are; `out` when a client is dialled; `hangup`
 * when the last channel is gone. RetailCRM has no event for "answered": the hang-up's status says it. Nothing is told of calls
 * between colleagues, of anonymous ones (RetailCRM wants a phone), nor of those that rang nobody. Pure but for its memory of calls.
 * Source: Asterisk's manager event documentation, read 2026-11.
 */
export function callEvents(rules: EventRules): CallEvents {
  const calls = new Map<string, LiveCall>();
  const callOfChannel = new Map<string, LiveCall>();

  function push(event: AmiMessage, now: number): RetailCallEvent[] {
    const name = field(event, 'event');
    if (name === 'FullyBooted') {
      reset();
      return [];
    }
    const ready = ripe(now);
    forgetOld(now);
    const call = callOf(event, name, now);
    if (call === undefined) return ready;
    // A hang-up's linkedid may be that of another call: its channel belongs to the one that it was seen in last.
    if (name === 'Hangup') return [...ready, ...hangUp(call, event)];
    // What comes of a channel after its hang-up must not bring it back to life.
    const mayBeNew = name === 'Newchannel' || name === 'DialBegin';
    const channels = [field(event, 'uniqueid'), field(event, 'destuniqueid')];
    const moved = channels.filter((id) => mayBeNew || callOfChannel.has(id)).flatMap((id) => note(id, call));
    if (name === 'DialBegin') dialBegins(call, event, rules, now);
    else if (name === 'DialEnd') dialEnds(call, event, rules);
    else if (name === 'QueueCallerAbandon') call.isAbandoned = true;
    return [...ready, ...moved];
  }

  /** The event's call; undefined where it is none of ours to know. */
  function callOf(event: AmiMessage, name: string, now: number): LiveCall | undefined {
    const linkedid = field(event, 'linkedid') || field(event, 'destlinkedid');
    const uniqueid = field(event, 'uniqueid');
    if (name === 'Hangup') return callOfChannel.get(uniqueid);
    const known = calls.get(linkedid);
    const isFirst = uniqueid !== '' && uniqueid === linkedid && (name === 'Newchannel' || name === 'DialBegin');
    if (known !== undefined || !isFirst) return known;
    const call = newCall(event, rules, now);
    calls.set(linkedid, call);
    return call;
  }

  /** A transfer joins two calls: the channel belongs to the other one from then on, which may be the end of its own. */
  function note(channel: string, call: LiveCall): RetailCallEvent[] {
    const before = callOfChannel.get(channel);
    if (channel === '' || before === call) return [];
    call.channels.add(channel);
    callOfChannel.set(channel, call);
    before?.channels.delete(channel);
    return before === undefined || before.channels.size > 0 ? [] : ended(before);
  }

  function hangUp(call: LiveCall, event: AmiMessage): RetailCallEvent[] {
    const uniqueid = field(event, 'uniqueid');
    call.channels.delete(uniqueid);
    callOfChannel.delete(uniqueid);
    call.lastCause = field(event, 'cause');
    return call.channels.size > 0 ? [] : ended(call);
  }

  function ended(call: LiveCall): RetailCallEvent[] {
    const told = tell(call);
    forget(call);
    // Who answered first, then all others whom it was told to: their cards are to close as well.
    const codes = new Set([...call.answeredBy, ...call.codes]);
    const end = call.isTold ? eventOf(call, 'hangup', [...codes], hangupStatus(call)) : undefined;
    return end === undefined ? told : [...told, end];
  }

  /** What was not told of a call yet. */
  function tell(call: LiveCall): RetailCallEvent[] {
    if (call.untold.length === 0 || call.direction === undefined) return [];
    const event = eventOf(call, call.direction, call.untold);
    call.untold = [];
    call.isTold ||= event !== undefined;
    return event === undefined ? [] : [event];
  }

  function eventOf(
    call: LiveCall,
    type: RetailCallEvent['type'],
    codes: readonly string[],
    status?: HangupStatus,
  ): RetailCallEvent | undefined {
    if (call.phone === undefined) return undefined;
    return {
      type,
      phone: dialledPhone(call.phone, rules.country) ?? call.phone,
      codes,
      ...(status === undefined ? {} : { hangupStatus: status }),
      ...(call.did === undefined ? {} : { externalPhone: call.did }),
      callExternalId: `${rules.host}:${call.linkedid}`,
    };
  }

  function waiting(): LiveCall[] {
    return [...calls.values()].filter(({ untold }) => untold.length > 0);
  }

  function ripe(now: number): RetailCallEvent[] {
    return waiting()
      .filter(({ untoldSince }) => now - untoldSince >= GROUP_MS)
      .flatMap(tell);
  }

  function forget(call: LiveCall): void {
    for (const channel of call.channels) callOfChannel.delete(channel);
    calls.delete(call.linkedid);
  }

  /** Calls stand in the order in which they began. */
  function forgetOld(now: number): void {
    for (const call of calls.values()) {
      if (now - call.since < LONGEST_CALL_MS && calls.size <= MOST_CALLS) return;
      forget(call);
    }
  }

  function reset(): void {
    calls.clear();
    callOfChannel.clear();
  }

  return {
    push,
    ripe,
    ripeAt: () => {
      const times = waiting().map(({ untoldSince }) => untoldSince + GROUP_MS);
      return times.length > 0 ? Math.min(...times) : undefined;
    },
    reset,
    get size() {
      return calls.size;
    },
  };
}
