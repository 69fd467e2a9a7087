import type { Chance } from './chance.ts';
import type { CallTruth, CdrRecord, CdrScript } from './model.ts';
import type { Client } from './numbers.ts';

export type Options = CdrScript['options'];

/** One channel: its name, and the id that Asterisk gave it. */
export interface Channel {
  name: string;
  uniqueid: string;
}

/** A path from A to B. Seconds count from the call's beginning. */
export interface Path {
  a: Channel;
  b?: Channel;
  from: number;
  to: number;
  /** When A was answered by anything; absent where it never was. */
  answered?: number;
  status: 'ANSWERED' | 'NO ANSWER' | 'BUSY' | 'FAILED';
  dst: string;
  dcontext: string;
  src: string;
  lastapp?: string;
  lastdata?: string;
  cnum?: string;
  did?: string;
  recording?: string;
  accountcode?: string;
  /** Where it differs from the call's: a consultation that a SIP phone began itself. */
  linkedid?: string;
}

/** A row, and when its channel was gone. */
export interface Written {
  at: number;
  record: CdrRecord;
}

const DOCUMENTATION = 3;
const QUARTER_MS = 900_000;

/** Epoch ms → the zone's local time. Offsets change on whole quarters alone, and asking for one is slow. */
export function localClock(zone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  const offsets = new Map<number, number>();
  const offsetAt = (ms: number): number => {
    const quarter = Math.floor(ms / QUARTER_MS);
    let offset = offsets.get(quarter);
    if (offset === undefined) {
      offset = Date.parse(`${format.format(quarter * QUARTER_MS).replace(' ', 'T')}Z`) - quarter * QUARTER_MS;
      offsets.set(quarter, offset);
    }
    return offset;
  };
  return (ms) => new Date(ms + offsetAt(ms)).toISOString().slice(0, 19).replace('T', ' ');
}

/** The PBX itself: it counts channels and rows, as its process does from its start on. */
export class Pbx {
  readonly options: Options;
  readonly random: Chance;
  readonly #local: (ms: number) => string;
  #channels = 0;
  #rows = 0;
  #clicks = 0;

  constructor(options: Options, random: Chance) {
    this.options = options;
    this.random = random;
    this.#local = localClock(options.zone);
  }

  /** `PJSIP/201` → `PJSIP/201-0000002a` with an id of its own; both halves of a loop share the name. */
  channel(peer: string, at: number, half = ''): Channel {
    this.#channels += 1;
    const name = `${peer}-${this.#channels.toString(16).padStart(8, '0')}${half}`;
    return { name, uniqueid: `${Math.floor(at / 1000)}.${this.#channels}` };
  }

  /** As click-to-call names its channels: 12 hexadecimal digits, never an epoch. */
  click(): string {
    this.#clicks += 1;
    const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0').slice(-digits);
    return `crm-${hex(this.options.seed, 4)}${hex(this.#clicks, 8)}`;
  }

  sequence(): number {
    this.#rows += 1;
    return this.#rows;
  }

  local(ms: number): string {
    return this.#local(ms);
  }
}

/** One call in the making: its rows, and the truth of it. */
export class CallScript {
  readonly pbx: Pbx;
  /** Epoch ms, whole seconds. */
  readonly at: number;
  readonly written: Written[] = [];
  #first: Channel | undefined;

  constructor(pbx: Pbx, at: number) {
    this.pbx = pbx;
    this.at = at;
  }

  /** The first channel names the call. */
  channel(peer: string, after = 0, half = ''): Channel {
    const made = this.pbx.channel(peer, this.at + after * 1000, half);
    this.#first ??= made;
    return made;
  }

  /** A loop inside the PBX: `;1` is what was called, `;2` goes on into the dialplan. */
  loop(target: string, after = 0): { near: Channel; far: Channel } {
    const near = this.channel(`Local/${target}`, after, ';1');
    const far = this.channel('', after, ';2');
    return { near, far: { ...far, name: near.name.replace(/;1$/, ';2') } };
  }

  /** Makes this the call's first channel, whatever came before. */
  begin(channel: Channel): Channel {
    this.#first = channel;
    return channel;
  }

  get linkedid(): string {
    return this.#first?.uniqueid ?? '';
  }

  path(path: Path): CdrRecord {
    const { a, b, from, to, answered, recording = '', did = '', cnum = path.src } = path;
    const local = (seconds: number) => this.pbx.local(this.at + seconds * 1000);
    const number = path.src === '' ? '' : ` <${path.src}>`;
    const record: CdrRecord = {
      calldate: local(from),
      clid: `"${cnum === path.src ? path.src : cnum}"${number}`,
      src: path.src,
      dst: path.dst,
      dcontext: path.dcontext,
      channel: a.name,
      dstchannel: b?.name ?? '',
      lastapp: path.lastapp ?? 'Dial',
      lastdata: path.lastdata ?? (b ? `${b.name.replace(/-[0-9a-f]{8}(;1)?$/, '')},30,tr` : ''),
      duration: to - from,
      billsec: answered === undefined ? 0 : to - answered,
      disposition: path.status,
      amaflags: DOCUMENTATION,
      accountcode: path.accountcode ?? '',
      uniqueid: a.uniqueid,
      userfield: '',
      did,
      recordingfile: recording,
      cnum,
      cnam: '',
      outbound_cnum: '',
      outbound_cnam: '',
      dst_cnam: '',
      linkedid: path.linkedid ?? this.linkedid,
      peeraccount: '',
      sequence: this.pbx.sequence(),
      answer: answered === undefined ? '' : local(answered),
      end: local(to),
    };
    this.written.push({ at: this.at + to * 1000, record });
    return record;
  }

  /** FreePBX's name of a recording: kind, both parties, local time, id. */
  recording(kind: string, one: string, other: string): string {
    const [day = '', time = ''] = this.pbx.local(this.at).split(' ');
    const plain = (text: string) => text.replace(/[-:]/g, '');
    return `${kind}-${one}-${other.replace(/\D/g, '')}-${plain(day)}-${plain(time)}-${this.linkedid}.wav`;
  }

  /** The truth of the call, `seconds` long in all; what is not told has its plainest value. */
  truth(
    seconds: number,
    told: Pick<CallTruth, 'kind' | 'direction' | 'result' | 'waitSeconds'> & Partial<CallTruth>,
  ): CallTruth {
    const { host } = this.pbx.options;
    const answered = told.result === 'answered';
    return {
      externalId: `${host}:${this.linkedid}`,
      host,
      linkedid: this.linkedid,
      answered,
      missed: told.direction === 'in' && !answered,
      whole: told.phone !== undefined,
      startedAt: this.at,
      endedAt: this.at + seconds * 1000,
      talkSeconds: 0,
      exact: true,
      ...told,
    };
  }
}

/** Who calls or is called, and how that stands in the rows. */
export interface Party {
  client: Client;
  written: string;
}
