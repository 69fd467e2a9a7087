import { configError, usageError } from '../../base/errors.ts';
import { renderTemplate, type Template } from '../../base/template.ts';
import { parsePhone } from '../../domain/phone.ts';
import type { AmiConnection } from './ami.ts';
import { type AmiMessage, field } from './ami-wire.ts';

/** What an enterprise says of click-to-call. */
export interface DialRules {
  /** ISO country of phones without a country code. */
  country: string;
  /** Known extensions; where there are none, numbers of `internalLength` digits count. */
  extensions: ReadonlySet<string>;
  internalLength: { min: number; max: number };
  outboundPrefix: string;
  /** The manager's own phone, of {extension}. */
  channel: Template;
  context: string;
  /** What is dialled, of {prefix}, {digits} (E.164 without +), {national}. */
  dial: Template;
  /** Beginnings of numbers (E.164) that may be dialled. */
  allow: readonly string[];
}

/** One call to be begun, every part of it made of harmless signs only. */
export interface Origination {
  extension: string;
  /** E.164. */
  phone: string;
  /** `Local/201@from-internal`. */
  channel: string;
  context: string;
  /** The client's number as the dialplan takes it. */
  exten: string;
}

/**
 * Numbers that cost the caller dear, or that are none, inside countries that are allowed: +7 803, 809 and 10 (what begins with the
 * international prefix 8 10), +375 9 (Belarus's paid services).
 */
const REFUSED = ['+7803', '+7809', '+7810', '+3759'];

/** Longest text that a person types for a phone. */
const LONGEST_PHONE = 25;

/**
 * What to ask the PBX for. Throws a usage error (64) for a phone that is none, is written with other signs than those of phones, or
 * may not be dialled, and for an unknown extension; 78 where the mapping makes something of them that a PBX could misread.
 */
export function originationOf(phone: string, extension: string, rules: DialRules): Origination {
  const number = allowedPhone(phone, rules);
  if (!isExtension(extension, rules)) {
    throw usageError(
      'no such extension',
      rules.extensions.size > 0
        ? 'Give one of calls.enterprises[].extensions in the mapping.'
        : `Give a number of ${rules.internalLength.min} to ${rules.internalLength.max} digits.`,
    );
  }
  const digits = number.slice(1);
  const exten = renderTemplate(rules.dial, {
    prefix: rules.outboundPrefix,
    digits,
    national: nationalOf(digits, rules.country),
  });
  const channel = renderTemplate(rules.channel, { extension });
  demand(/^[\d*#+]{3,40}$/.test(exten), 'asterisk.dial');
  // At its end `/n` and the like: options of a loop.
  demand(
    /^[A-Za-z0-9]{1,20}\/[\w.@-]{1,80}(\/[a-z]{1,4})?$/.test(channel) && !channel.includes('--'),
    'asterisk.channel',
  );
  demand(/^[\w-]{1,80}$/.test(rules.context), 'asterisk.context');
  return { extension, phone: number, channel, context: rules.context, exten };
}

function allowedPhone(text: string, { country, allow }: DialRules): string {
  const isClean = text.length <= LONGEST_PHONE && /^[+\d(][\d ()-]*$/.test(text);
  const number = isClean ? parsePhone(text, country) : undefined;
  if (number === undefined || !/^\+\d{8,15}$/.test(number)) {
    throw usageError('the phone is no full number', 'Give it with + and its country code.');
  }
  const isAllowed = allow.some((beginning) => beginning !== '' && number.startsWith(beginning));
  if (!isAllowed || REFUSED.some((beginning) => number.startsWith(beginning))) {
    throw usageError(
      'this number may not be dialled',
      'calls.enterprises[].asterisk.allow in the mapping lists the beginnings that may; numbers that cost extra never.',
    );
  }
  return number;
}

function isExtension(text: string, { extensions, internalLength: { min, max } }: DialRules): boolean {
  if (!/^[\w*#]{1,20}$/.test(text)) return false;
  return extensions.size > 0 ? extensions.has(text) : /^\d+$/.test(text) && text.length >= min && text.length <= max;
}

/**
 * As it is dialled from the PBX's country: inside Belarus 80 before the rest of +375, where +7 is abroad; inside Russia and
 * Kazakhstan 8 before the rest of +7, where +375 is abroad; abroad 810 before all of it.
 */
function nationalOf(digits: string, country: string): string {
  if (country === 'BY') return digits.startsWith('375') ? `80${digits.slice(3)}` : `810${digits}`;
  return digits.startsWith('7') ? `8${digits.slice(1)}` : `810${digits}`;
}

function demand(isFine: boolean, part: string): void {
  if (isFine) return;
  throw configError(
    'DIAL_TEMPLATE_UNSAFE',
    `calls.enterprises[].${part} makes something that a dialplan cannot take`,
    'Only letters, digits and what a channel, a context or a number needs may stand there.',
  );
}

/** How the manager's own phone took the call; nothing of it says whether the client did. */
export type RingOutcome = 'answered' | 'no answer' | 'busy' | 'unreachable' | 'failed' | 'unknown';

/** Control frames as OriginateResponse's Reason (include/asterisk/frame.h); 0 means that nothing was heard of the phone. */
const REASONS: Readonly<Record<string, RingOutcome>> = {
  '0': 'unreachable',
  '1': 'no answer',
  '3': 'no answer',
  '4': 'answered',
  '5': 'busy',
  '8': 'failed',
};

/** How long the manager's phone rings. */
const RING_MS = 30_000;

/**
 * Asks for the call over AMI: the manager's phone rings first, then the client is dialled from the manager's context. `id` becomes
 * the first channel's uniqueid and the account code, so that the call records tell of the click. Throws as `AmiConnection.action`.
 */
export async function originateByAmi(ami: AmiConnection, id: string, call: Origination): Promise<void> {
  await ami.action({
    Action: 'Originate',
    ActionID: id,
    Channel: call.channel,
    Context: call.context,
    Exten: call.exten,
    Priority: '1',
    // The manager's phone shows whom it will call.
    CallerID: call.exten,
    Timeout: String(RING_MS),
    Account: id,
    ChannelId: id,
    Async: 'true',
  });
}

/** What an event says of that click's first leg; undefined where it is another event. */
export function ringOutcome(event: AmiMessage, id: string): RingOutcome | undefined {
  if (field(event, 'event') !== 'OriginateResponse' || field(event, 'actionid') !== id) return undefined;
  if (field(event, 'response') === 'Success') return 'answered';
  return REASONS[field(event, 'reason')] ?? 'failed';
}
