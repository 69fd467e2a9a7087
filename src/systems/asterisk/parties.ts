import type { CdrRow } from '../../domain/call.ts';

/** What tells own people from the world outside; differs with each PBX. */
export interface PartyRules {
  /** Extensions known by name; numbers of `internalLength` digits count besides. */
  extensions: ReadonlySet<string>;
  /** Beginnings of the channels of outside lines, e.g. `PJSIP/trunk-a`. */
  trunks: readonly string[];
  /** How many digits an own number has. */
  internalLength: { min: number; max: number };
  /** What is dialled before an outside number; '' for nothing. */
  outboundPrefix: string;
}

/**
 * One end of a path. `local` is no person's phone but a loop inside the PBX: to an extension, to a number outside
 * (`outside`), or into the dialplan. `service` is the PBX itself. `other` is a peer that no rule names.
 */
export interface Leg {
  kind: 'none' | 'extension' | 'trunk' | 'local' | 'service' | 'other';
  extension?: string;
  outside?: boolean;
}

/**
 * What click-to-call puts before the id of its channels (ChannelId) or their account: rows that bear it are of a call
 * that we began ourselves.
 */
export const ORIGINATE_MARK = 'crm-';

/** A system name makes ids such as `crm-1754220600.17`, which are the PBX's own. */
const ownId = /-\d{9,11}\.\d+$/;

export function isOriginated(row: Pick<CdrRow, 'uniqueid' | 'linkedid' | 'accountcode'>): boolean {
  return [row.uniqueid, row.linkedid, row.accountcode ?? ''].some(
    (text) => text.startsWith(ORIGINATE_MARK) && !ownId.test(text),
  );
}

const nobody = /^(<?(anonymous|unknown|private|restricted|unavailable|withheld)>?|)$/i;

/** Below five digits a number is an extension or a service, never a client. */
const shortestPhone = 5;

/**
 * The number of a party whom SIP names by an address: `<sip:+79000000001@192.0.2.1;user=phone>`, `tel:+79000000001`,
 * `+79000000001@192.0.2.1`; any other text as it is. Columns of 80 characters may have cut it.
 */
function bare(text: string): string {
  const address = /<([^<>]+)/.exec(text)?.[1] ?? text;
  return address
    .trim()
    .replace(/^(sips?|tel):/i, '')
    .replace(/[@;].*$/s, '')
    .replace(/^%2B/i, '+');
}

/**
 * A client's number as it came, or undefined: for an anonymous caller, an extension, a feature code (`*97`), a place in
 * the dialplan (`s`, `vmu101`). The plan of numbers is not looked at.
 */
export function clientNumber(text: string, rules: PartyRules): string | undefined {
  const number = bare(text).replace(/#$/, '');
  if (nobody.test(number) || rules.extensions.has(number) || !/^[-+()\d\s.]+$/.test(number)) return undefined;
  return number.replace(/\D/g, '').length < shortestPhone ? undefined : number;
}

/**
 * The number that was dialled outside, without the prefix for an outside line. Where the dialplan left only `s` or a
 * feature code, it is what the line was asked for: `PJSIP/79000000001@trunk-a,300` or `SIP/trunk-a/79000000001,300`.
 */
export function dialledNumber(
  row: Pick<CdrRow, 'dst' | 'lastapp' | 'lastdata'>,
  rules: PartyRules,
): string | undefined {
  const { outboundPrefix: prefix } = rules;
  const dst = bare(row.dst);
  const rest = prefix !== '' && dst.startsWith(prefix) ? dst.slice(prefix.length) : dst;
  const dialled = clientNumber(rest, rules);
  if (dialled !== undefined || !/^dial$/i.test(row.lastapp)) return dialled;
  const asked = /^[^,&]*?\/(?:sips?:)?(\+?\d{5,})(?:@|,|&|$)/i.exec(row.lastdata)?.[1];
  return asked === undefined ? undefined : clientNumber(asked, rules);
}

/** Whether a party's text is a number of our own. */
function isInternal(text: string, rules: PartyRules): boolean {
  const { min, max } = rules.internalLength;
  return rules.extensions.has(text) || (/^\d+$/.test(text) && text.length >= min && text.length <= max);
}

/** Where A's call went by its text: outside. A number long enough for a client that no rule calls our own. */
export function leadsOutside(row: Pick<CdrRow, 'dst' | 'lastapp' | 'lastdata'>, rules: PartyRules): boolean {
  return dialledNumber(row, rules) !== undefined && !isInternal(bare(row.dst), rules);
}

/** Channels of the PBX's own doings: announcers and recorders of conferences, text messages. */
const services = new Set(['CBAnn', 'CBRec', 'Announcer', 'Recorder', 'Message']);

/** Asterisk renames channels that it is about to replace. */
const renamed = /^(AsyncGoto|Surrogate|Transfered|Parked)\/(?=\w+\/)|<(ZOMBIE|MASQ)>$/g;

function legOfChannel(text: string, rules: PartyRules): Leg {
  const channel = text.trim().replace(renamed, '');
  if (channel === '') return { kind: 'none' };
  // Names hold dashes of their own: only the last part is the channel's number.
  const [, technology = '', name = ''] = /^([^/]+)\/(.+?)(?:-[0-9a-f]+)?(?:;[12])?$/i.exec(channel) ?? [];
  if (technology === 'Local') return localLeg(name, rules);
  if (rules.extensions.has(name)) return { kind: 'extension', extension: name };
  if (rules.trunks.some((trunk) => belongs(channel, trunk))) return { kind: 'trunk' };
  if (isInternal(name, rules)) return { kind: 'extension', extension: name };
  return { kind: services.has(technology) ? 'service' : 'other' };
}

/** `Local/101@from-queue`; follow-me says `Local/FMPR-101@from-internal` and `Local/FMGL-79000000001#@from-internal`. */
function localLeg(name: string, rules: PartyRules): Leg {
  const target = (name.split('@')[0] ?? '').replace(/#$/, '');
  const extension = [target, target.slice(target.lastIndexOf('-') + 1)].find((one) => isInternal(one, rules));
  if (extension !== undefined) return { kind: 'local', extension };
  return { kind: 'local', outside: clientNumber(target.replace(/^[A-Z]+-/, ''), rules) !== undefined };
}

/** `PJSIP/10` is the beginning of `PJSIP/10-0000002a`, and not of `PJSIP/101-0000002a`. */
function belongs(channel: string, trunk: string): boolean {
  if (trunk === '' || !channel.toLowerCase().startsWith(trunk.toLowerCase())) return false;
  return !/\w$/.test(trunk) || !/^\w/.test(channel.slice(trunk.length));
}

/**
 * Both ends of a row's path. Channels say it first; a phone whose channel bears a person's name is known by the number
 * that the dialplan gave it, a called one only where that number is in the list (else it may be a queue's).
 */
export function legsOf(
  row: Pick<CdrRow, 'channel' | 'dstchannel' | 'cnum' | 'src' | 'dst'>,
  rules: PartyRules,
): { a: Leg; b: Leg } {
  const [a, b] = [legOfChannel(row.channel, rules), legOfChannel(row.dstchannel, rules)];
  const caller = [row.cnum ?? '', row.src].map(bare).find((text) => isInternal(text, rules));
  return {
    a: a.kind === 'other' && caller !== undefined ? { kind: 'extension', extension: caller } : a,
    b: b.kind === 'other' && rules.extensions.has(row.dst) ? { kind: 'extension', extension: row.dst } : b,
  };
}
