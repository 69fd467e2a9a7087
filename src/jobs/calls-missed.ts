import { localText } from '../base/local-time.ts';
import type { Enterprise, RetailUser } from '../config/mapping-calls-types.ts';
import type { Call } from '../domain/call.ts';
import type { Effect, LinkState, Plan } from '../domain/effect.ts';
import type { Change } from '../runner/sink.ts';
import {
  asJson,
  type OrderPayload,
  retailKeys,
  retailKinds,
  type TaskPayload,
} from '../systems/retailcrm/effects/payloads.ts';
import { customerEffect, MISSED_RECORD, ownNumber } from './calls-effects.ts';
import type { PlannedCall } from './calls-plan.ts';

/** A missed call as far as its task and order need it. */
export interface MissedCall {
  externalId: string;
  host: string;
  linkedid: string;
  /** E.164, or as the PBX wrote it. */
  phone: string;
  isFullNumber: boolean;
  startedAt: Date;
  waitSeconds: number;
  line: string | undefined;
  /** Of the extension that rang last. */
  user: RetailUser | undefined;
}

/** A talk with a client, or a missed call of his. */
type Contact = { externalId: string; phone: string; startedAt: Date } & (
  | { missed: undefined }
  | { missed: MissedCall }
);

/**
 * What a call says of its client: that somebody spoke with him, or that nobody took his call. undefined where it says neither: nobody
 * took ours, or the call is not over yet.
 */
function contactOf(call: Call, { stored, phone, user }: PlannedCall): Contact | undefined {
  if (stored?.phone === undefined || stored.direction === 'unknown') return undefined;
  const { externalId, host, linkedid, startedAt, waitSeconds } = call;
  const contact = { externalId, phone: stored.phone, startedAt };
  if (call.answered) return { ...contact, missed: undefined };
  if (stored.direction !== 'in' || !call.closed) return undefined;
  const missed = {
    ...contact,
    host,
    linkedid,
    isFullNumber: phone !== undefined,
    waitSeconds,
    line: ownNumber(stored.line),
    user,
  };
  return { ...contact, missed };
}

export interface MissedTimes {
  /** Within which a client is to be called back. */
  dueMs: number;
  /** Missed calls older than this ask for nothing. */
  withinMs: number;
  now: Date;
}

/** The contacts that a pass has seen, in memory: which missed calls nobody has called back. */
export interface ContactBook {
  note(call: Call, planned: PlannedCall): void;
  /** Missed calls that began in [from, to), oldest first, whether or not they ask for anything. */
  missed(range: { from: Date; to: Date }): MissedCall[];
  find(externalId: string): MissedCall | undefined;
  asksForCallback(missed: MissedCall): boolean;
  /** Somebody spoke with the client before it was due. */
  wasCalledBack(missed: MissedCall): boolean;
}

/**
 * Nobody answered or reached the client between his call and the time at which it was due, or now; and no earlier missed
 * call of his, at most that time before and not called back either, has the task already. For every missed call the
 * contacts from `dueMs` before it to `dueMs` after it must have been noted, or else the answer changes with the window.
 */
export function contactBook({ dueMs, withinMs, now }: MissedTimes): ContactBook {
  const contacts = new Map<string, Contact>();
  let byPhone: Map<string, Contact[]> | undefined;

  function ofPhone(phone: string): readonly Contact[] {
    byPhone ??= groupByPhone(contacts.values());
    return byPhone.get(phone) ?? [];
  }
  const spokeBetween = (phone: string, from: number, to: number) =>
    ofPhone(phone).some(({ missed, startedAt }) => !missed && +startedAt >= from && +startedAt <= to);

  return {
    note(call, planned) {
      if (+call.startedAt < +now - withinMs - dueMs) return;
      const contact = contactOf(call, planned);
      if (contact === undefined) contacts.delete(call.externalId);
      else contacts.set(call.externalId, contact);
      byPhone = undefined;
    },
    missed: ({ from, to }) =>
      [...contacts.values()]
        .flatMap(({ missed, startedAt }) => (missed && startedAt >= from && startedAt < to ? missed : []))
        .sort(inOrder),
    find: (externalId) => contacts.get(externalId)?.missed,
    wasCalledBack: ({ phone, startedAt }) => spokeBetween(phone, +startedAt, Math.min(+now, +startedAt + dueMs)),
    asksForCallback(missed) {
      const { phone, startedAt } = missed;
      if (+startedAt < +now - withinMs) return false;
      if (this.wasCalledBack(missed)) return false;
      return !ofPhone(phone).some(
        (other) =>
          other.missed !== undefined &&
          +other.startedAt >= +startedAt - dueMs &&
          inOrder(other, missed) < 0 &&
          !spokeBetween(phone, +other.startedAt, +startedAt),
      );
    },
  };
}

interface Begun {
  externalId: string;
  startedAt: Date;
}

function inOrder(one: Begun, other: Begun): number {
  return +one.startedAt - +other.startedAt || (one.externalId < other.externalId ? -1 : 1);
}

function groupByPhone(contacts: Iterable<Contact>): Map<string, Contact[]> {
  const groups = new Map<string, Contact[]>();
  for (const contact of contacts) {
    const group = groups.get(contact.phone);
    if (group) group.push(contact);
    else groups.set(contact.phone, [contact]);
  }
  return groups;
}

export interface MissedRules {
  enterprise: Enterprise;
  locale: 'ru' | 'en';
  /** IANA zone of the PBX's local times. */
  zone: string;
}

/** Where `missed` asks for it: a task to call back, a draft order, and the customer whom they belong to. Pure. */
export function planMissed(missed: MissedCall, rules: MissedRules): Plan {
  const { enterprise } = rules;
  const { externalId, phone, startedAt } = missed;
  const record = { kind: MISSED_RECORD, key: externalId };
  const kinds = retailKinds(enterprise.number);
  // The same effect as the call's own: whoever is first makes the customer.
  const customer =
    missed.isFullNumber && enterprise.createCustomers.missed
      ? customerEffect(record, { enterprise, phone, manager: undefined })
      : undefined;
  const common = { record, needs: customer === undefined ? [] : [customer.key] };
  const effects: Effect[] = customer === undefined ? [] : [customer];
  if (enterprise.missed.task) {
    const payload = asJson(taskOf(missed, rules, customer?.key));
    effects.push({ ...common, key: retailKeys.task(externalId), kind: kinds.task, payload });
  }
  if (enterprise.missed.order) {
    const payload = asJson(orderOf(missed, rules, customer?.key));
    effects.push({ ...common, key: retailKeys.order(externalId), kind: kinds.order, payload });
  }
  return { record, effects, since: startedAt.toISOString() };
}

/** The task of a client who was called back before it was due is done, if it was made before. Pure. */
export function planTaskDone(
  { externalId }: MissedCall,
  links: ReadonlyMap<string, LinkState>,
  { number }: Enterprise,
): Change[] {
  const taskKey = retailKeys.task(externalId);
  const link = links.get(taskKey);
  // Asked for once: what a person makes of the task afterwards is his.
  if (link === undefined || link.revision > 0) return [];
  const revises = { link: taskKey, revision: 1, planned: { complete: true } };
  const effect: Effect = {
    key: `${taskKey}#1`,
    kind: retailKinds(number).taskDone,
    record: { kind: MISSED_RECORD, key: externalId },
    needs: [taskKey],
    payload: asJson({ taskKey }),
    revises,
  };
  return [{ revises, effect }];
}

function taskOf(missed: MissedCall, rules: MissedRules, customerKey: string | undefined): TaskPayload {
  const { performer, dueMs } = rules.enterprise.missed;
  const who = missed.user ?? performer;
  return {
    text: textOf(missed, rules),
    marker: `sdelka ${missed.externalId}`,
    due: new Date(+missed.startedAt + dueMs).toISOString(),
    calledAt: missed.startedAt.toISOString(),
    phone: missed.phone,
    ...(who === undefined ? {} : { performer: who }),
    ...(customerKey === undefined ? {} : { customerKey }),
  };
}

function orderOf(missed: MissedCall, rules: MissedRules, customerKey: string | undefined): OrderPayload {
  const { performer, orderMethod, orderStatus } = rules.enterprise.missed;
  const who = missed.user ?? performer;
  return {
    externalId: `missed-${missed.host}-${missed.linkedid}`,
    phone: missed.phone,
    firstName: missed.phone,
    comment: textOf(missed, rules),
    ...(who === undefined ? {} : { manager: who }),
    ...(orderMethod === undefined ? {} : { method: orderMethod }),
    ...(orderStatus === undefined ? {} : { status: orderStatus }),
    ...(customerKey === undefined ? {} : { customerKey }),
  };
}

/** What the manager reads, in the PBX's local time. */
function textOf({ phone, startedAt, waitSeconds, line }: MissedCall, { locale, zone }: MissedRules): string {
  const at = localText(startedAt, zone).slice(0, 16).replace('T', ' ');
  const [minutes, seconds] = [Math.floor(waitSeconds / 60), waitSeconds % 60];
  if (locale === 'en') {
    const waited = minutes > 0 ? `${minutes} min ${seconds} s` : `${seconds} s`;
    return `Call back ${phone}: missed call ${at}, waited ${waited}${line ? `, line ${line}` : ''}`;
  }
  const [, month, day, time] = /^\d+-(\d+)-(\d+) (.*)$/.exec(at) ?? [];
  const waited = minutes > 0 ? `${minutes} мин ${seconds} с` : `${seconds} с`;
  return `Перезвонить ${phone}: пропущенный звонок ${day}.${month} ${time}, ждал ${waited}${line ? `, линия ${line}` : ''}`;
}
