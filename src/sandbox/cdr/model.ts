/** One row of call records as Asterisk writes it, with FreePBX's columns. Times are the PBX's local ones. */
export interface CdrRecord {
  /** `2026-11-21 10:15:00`. */
  calldate: string;
  clid: string;
  src: string;
  dst: string;
  dcontext: string;
  channel: string;
  dstchannel: string;
  lastapp: string;
  lastdata: string;
  duration: number;
  billsec: number;
  disposition: string;
  /** FreePBX keeps the number; 3 = DOCUMENTATION. */
  amaflags: number;
  accountcode: string;
  uniqueid: string;
  userfield: string;
  did: string;
  recordingfile: string;
  cnum: string;
  cnam: string;
  outbound_cnum: string;
  outbound_cnam: string;
  dst_cnam: string;
  linkedid: string;
  peeraccount: string;
  sequence: number;
  /** cdr_csv has these two, FreePBX's table has not; '' where A was never answered. */
  answer: string;
  end: string;
}

/** Why a call is in the script; what each looks like stands beside its maker. */
export type CallKind =
  | 'direct'
  | 'noAnswer'
  | 'busy'
  | 'failed'
  | 'ringGroup'
  | 'ringGroupMissed'
  | 'phoneQueue'
  | 'queue'
  | 'queueMissed'
  | 'menuQueue'
  | 'menuOnly'
  | 'voicemail'
  | 'anonymous'
  | 'anonymousMissed'
  | 'localNumber'
  | 'blindTransfer'
  | 'attendedTransfer'
  | 'foreignConsultation'
  | 'followMe'
  | 'followMeMobile'
  | 'calledBack'
  | 'out'
  | 'outNoAnswer'
  | 'outBusy'
  | 'outSecondLine'
  | 'outHandedOver'
  | 'click'
  | 'clickNoAnswer'
  | 'internal';

/** What must come out of a call's rows, known from how they were made and not from reading them. */
export interface CallTruth {
  kind: CallKind;
  /** `host:linkedid`. */
  externalId: string;
  host: string;
  linkedid: string;
  direction: 'in' | 'out' | 'internal';
  answered: boolean;
  result: 'answered' | 'no answer' | 'busy' | 'failed';
  /** An incoming call that no person took. */
  missed: boolean;
  /** E.164; of a local number as the PBX wrote it; absent for anonymous callers and between colleagues. */
  phone?: string;
  /** Whether `phone` is a full number, from which a customer can be made. */
  whole: boolean;
  /** Who of ours spoke first and last; where nobody did: who dialled, or who was rung first and last. */
  firstExtension?: string;
  lastExtension?: string;
  /** Epoch ms. */
  startedAt: number;
  endedAt: number;
  waitSeconds: number;
  talkSeconds: number;
  /** False where the rows cannot tell waiting and talk apart, since the PBX itself had answered before. */
  exact: boolean;
  /** The file's name; absent where nothing was recorded. */
  recording?: string;
  /** Our own number that was called. */
  did?: string;
  /** `part`: one row of several comes late; `whole`: all of them do. */
  late?: 'part' | 'whole';
}

/** A row that is written long after its call. */
export interface LateRecord {
  /** Epoch ms; later than the script's `to` in some cases. */
  writtenAt: number;
  record: CdrRecord;
}

export interface CdrOptions {
  seed?: number;
  /** How many calls to make. Those of kinds `calledBack` and `foreignConsultation` are two each. */
  calls?: number;
  /** Calls begin within [from, to), and end within it where it is longer than half an hour. Epoch ms or dates. */
  from: Date | number;
  to: Date | number;
  /** Part of every externalId. Two scripts that differ in nothing else have the same ids. */
  host?: string;
  /** IANA zone of the rows' local times. */
  zone?: string;
  /** Where numbers without a country code belong; decides which spellings may occur. */
  country?: 'BY' | 'RU' | 'KZ';
  /** Weights of the kinds that shall occur, in the place of the usual ones. */
  kinds?: Partial<Record<CallKind, number>>;
  /** How many different clients there are; default: two for five calls. */
  phones?: number;
  /** Own phones, at least two. */
  extensions?: readonly string[];
  /** The outside line's channels begin with it. */
  trunk?: string;
  /** Our own number on it. */
  did?: string;
  /** Dialled before outside numbers. */
  outboundPrefix?: string;
  /** Share of rows that are written twice, as two sections of cdr_adaptive_odbc do. */
  repeats?: number;
  /** Share of calls with rows that come late. */
  late?: number;
}

export interface CdrScript {
  readonly options: Required<Omit<CdrOptions, 'from' | 'to'>> & { from: number; to: number };
  /** In the order of writing: a row is written when its channel is gone. */
  readonly records: readonly CdrRecord[];
  readonly late: readonly LateRecord[];
  /** By externalId's call, in order of their beginning. What late rows bring is included. */
  readonly truth: readonly CallTruth[];
}
