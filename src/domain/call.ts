/**
 * One row of a PBX's call records: one path between two channels, seen from A's. A call may have many. Texts are as the
 * PBX wrote them, '' where it wrote nothing; numbers are never read as numbers.
 */
export interface CdrRow {
  /** Code of the PBX host: two hosts may give the same ids. */
  host: string;
  /** Id of A's channel: `<epoch>.<counter>`, maybe after `<system name>-`, or what a click-to-call gave. */
  uniqueid: string;
  /** Id of the whole call, that of its first channel; '' where the table does not have it. */
  linkedid: string;
  sequence?: number | undefined;
  /** UTC. */
  start: Date;
  /** UTC; many tables lack it and `end`. */
  answer?: Date | undefined;
  end?: Date | undefined;
  /** Seconds, ringing included. */
  duration: number;
  /** Seconds since A was answered by anything: a menu or a queue too, so that more than 0 does not mean a talk. */
  billsec: number;
  src: string;
  dst: string;
  dcontext: string;
  channel: string;
  /** '' where nobody was dialled. */
  dstchannel: string;
  lastapp: string;
  lastdata: string;
  /** `ANSWERED`, `NO ANSWER`, `BUSY`, `FAILED`, …, or its number. */
  disposition: string;
  /** The dialled number of ours; on incoming calls alone. */
  did?: string | undefined;
  recordingfile?: string | undefined;
  /** The caller's number as the dialplan knows it; of own callers the extension. */
  cnum?: string | undefined;
  accountcode?: string | undefined;
  userfield?: string | undefined;
}

/** `unknown`: the rows do not tell. Such a call is to be reported, not guessed at. */
export type CallDirection = 'in' | 'out' | 'internal' | 'unknown';

export type CallResult = 'answered' | 'no answer' | 'busy' | 'failed' | 'unknown';

/** One call as people count calls: all rows of one (host, linkedid). */
export interface Call {
  host: string;
  /** The rows' linkedid, or their uniqueid where there is none. */
  linkedid: string;
  /** `host:linkedid`, the name that never changes whatever rows come later. */
  externalId: string;
  direction: CallDirection;
  /** The client's number as the PBX wrote it, without the prefix for an outside line; absent for anonymous callers. */
  phone?: string | undefined;
  /** Of ours: who spoke first and last. Where nobody did: outgoing, who dialled; else who was rung first and last. */
  firstExtension?: string | undefined;
  lastExtension?: string | undefined;
  /** By a person, not by a menu, a queue or voicemail; outgoing: by the client. */
  answered: boolean;
  result: CallResult;
  startedAt: Date;
  /** When the last of its rows ended. */
  endedAt: Date;
  /** Until a person answered, or else until the end. */
  waitSeconds: number;
  /** Overlapping talks count once. Includes waiting where the PBX itself had answered before and a row does not tell. */
  talkSeconds: number;
  /** Of the longest row that has one; as the PBX wrote it. */
  recording?: string | undefined;
  did?: string | undefined;
  /** No more rows are expected; should one come all the same, the call is folded again under the same name. */
  closed: boolean;
  /** By how much the rows' clock is ahead of the epoch in their ids; hours mean that the PBX's zone is set wrongly. */
  skewSeconds?: number | undefined;
  /** Changes when and only when the rows do. */
  hash: string;
}

/** A call as the local table shows it, and as `explain` and the figures read it. */
export interface StoredCall {
  externalId: string;
  enterprise: string;
  /** `unknown` calls are kept for people to look at; internal ones are not kept. */
  direction: 'in' | 'out' | 'unknown';
  result: CallResult;
  /** `YYYY-MM-DD`, the PBX's local day. */
  day: string;
  startedAt: Date;
  endedAt: Date;
  /** E.164, or as the PBX wrote it where it is no full number; absent: anonymous. */
  phone?: string | undefined;
  extension?: string | undefined;
  /** As the mapping names him: e-mail, or id as text. */
  manager?: string | undefined;
  talkSeconds: number;
  waitSeconds: number;
  recordingUrl?: string | undefined;
  /** Our own number that was called. */
  line?: string | undefined;
  /** Changes when and only when the rows do, or what the mapping makes of them. */
  hash: string;
}

/** A customer of RetailCRM with all his phones (E.164). */
export interface CustomerPhones {
  customerId: number;
  phones: readonly string[];
}

/** An order of RetailCRM, as far as the conversion of calls needs it. */
export interface StoredOrder {
  orderId: number;
  number: string;
  customerId?: number | undefined;
  /** E.164. */
  phone?: string | undefined;
  managerId?: number | undefined;
  status: string;
  /** Its status belongs to the group `cancel`. */
  cancelled: boolean;
  /** In the account's currency. */
  total: number;
  orderedAt: Date;
}

/** What a page of RetailCRM's history comes to here; `sinceId` is its last entry's id. */
export interface HistoryEffects {
  sinceId: number;
  /** Customers as they stand now: all phones of theirs, and no others. */
  customers?: readonly CustomerPhones[];
  goneCustomers?: readonly number[];
  /** Merged: phones, calls and orders of `from` belong to `into` now. */
  merged?: readonly { from: number; into: number }[];
  orders?: readonly StoredOrder[];
  goneOrders?: readonly number[];
}
