import { createHash } from 'node:crypto';
import { localText } from '../base/local-time.ts';
import type { Enterprise, RetailUser } from '../config/mapping-calls-types.ts';
import type { Call, StoredCall } from '../domain/call.ts';
import { dialledPhone } from '../domain/dialled-phone.ts';
import type { Effect, Plan, RecordRef } from '../domain/effect.ts';
import { asJson, type CallPayload, retailKeys, retailKinds } from '../systems/retailcrm/effects/payloads.ts';
import { CALL_RECORD, customerEffect, ownNumber } from './calls-effects.ts';
import { recordingUrl } from './calls-recording.ts';

/** What the mapping and the settings say of an enterprise's calls. */
export interface CallRules {
  enterprise: Enterprise;
  /** ISO country of phones without a country code. */
  country: string;
  /** IANA zone of the PBX's local times. */
  zone: string;
  /** What every recording's link begins with; absent: no links. */
  recordingsBase: string | undefined;
}

export interface PlannedCall {
  /** Without effects for internal and anonymous calls and where the direction is unknown. */
  plan: Plan;
  /** As the local table shows it; absent for internal calls. */
  stored: StoredCall | undefined;
  /** E.164; absent where the number is not a full one. */
  phone: string | undefined;
  user: RetailUser | undefined;
}

/** What RetailCRM and the local table shall hold of a call. Pure and total: whatever the PBX wrote, nothing is thrown. */
export function planCall(call: Call, rules: CallRules): PlannedCall {
  const record = { kind: CALL_RECORD, key: call.externalId };
  const phone = call.phone === undefined ? undefined : dialledPhone(call.phone, rules.country);
  const user = userOf(call, rules.enterprise);
  const stored = storedCall(call, phone, user, rules);
  const effects = stored === undefined ? [] : effectsOf(call, { record, stored, phone, user }, rules.enterprise);
  return { plan: { record, effects, since: call.startedAt.toISOString() }, stored, phone, user };
}

/** Of ours: whom the mapping's rule makes the call's manager; of a missed call, whose phone rang last. */
function extensionOf(call: Call, { manager }: Enterprise): string | undefined {
  const isMissed = call.direction === 'in' && !call.answered;
  return manager === 'last' || isMissed ? call.lastExtension : call.firstExtension;
}

function userOf(call: Call, enterprise: Enterprise): RetailUser | undefined {
  const extension = extensionOf(call, enterprise);
  return extension === undefined ? undefined : enterprise.extensions.get(extension);
}

function storedCall(
  call: Call,
  phone: string | undefined,
  user: RetailUser | undefined,
  { enterprise, zone, recordingsBase }: CallRules,
): StoredCall | undefined {
  const { direction, recording } = call;
  if (direction === 'internal') return undefined;
  const shown: Omit<StoredCall, 'hash'> = {
    externalId: call.externalId,
    enterprise: enterprise.number,
    direction,
    result: call.result,
    day: localText(call.startedAt, zone).slice(0, 10),
    startedAt: call.startedAt,
    endedAt: call.endedAt,
    phone: phone ?? call.phone,
    extension: extensionOf(call, enterprise),
    manager: user === undefined ? undefined : String(user),
    talkSeconds: call.talkSeconds,
    waitSeconds: call.waitSeconds,
    recordingUrl:
      recording && recordingsBase
        ? recordingUrl(recordingsBase, recording, call, zone, enterprise.recordings.path)
        : undefined,
    line: call.did || undefined,
  };
  const text = JSON.stringify([call.hash, Object.values(shown).map((value) => value ?? null)]);
  return { ...shown, hash: createHash('sha256').update(text).digest('hex').slice(0, 32) };
}

interface Told {
  record: RecordRef;
  stored: StoredCall;
  phone: string | undefined;
  user: RetailUser | undefined;
}

function effectsOf(call: Call, { record, stored, phone, user }: Told, enterprise: Enterprise): Effect[] {
  const { direction, answered } = call;
  // RetailCRM demands a phone and a direction of every call that is uploaded.
  if (stored.phone === undefined || (direction !== 'in' && direction !== 'out')) return [];
  const { incoming, outgoing, missed } = enterprise.createCustomers;
  const wantsCustomer = direction === 'out' ? outgoing : answered ? incoming : missed;
  const manager = answered ? user : undefined;
  const line = ownNumber(stored.line);
  const customer =
    phone !== undefined && wantsCustomer ? customerEffect(record, { enterprise, phone, manager }) : undefined;
  const payload: CallPayload = {
    externalId: call.externalId,
    date: call.startedAt.toISOString(),
    type: direction,
    phone: stored.phone,
    ...(stored.extension === undefined ? {} : { code: stored.extension }),
    ...(user === undefined ? {} : { user }),
    result: call.result,
    duration: call.talkSeconds,
    durationWaiting: call.waitSeconds,
    ...(stored.recordingUrl === undefined ? {} : { recordUrl: stored.recordingUrl }),
    ...(line === undefined ? {} : { externalPhone: line }),
  };
  const upload: Effect = {
    key: retailKeys.call(call.externalId),
    kind: retailKinds(enterprise.number).call,
    record,
    needs: customer === undefined ? [] : [customer.key],
    payload: asJson(payload),
  };
  return customer === undefined ? [upload] : [customer, upload];
}
