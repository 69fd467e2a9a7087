import type { Enterprise, RetailUser } from '../config/mapping-calls-types.ts';
import type { Effect, RecordRef } from '../domain/effect.ts';
import { asJson, retailKeys, retailKinds } from '../systems/retailcrm/effects/payloads.ts';

/** What `failed` and `explain` call a call. */
export const CALL_RECORD = 'call';
/** What they call a missed call that somebody is to call back. */
export const MISSED_RECORD = 'missed-call';

/** Our own number that was called. What a caller from the Internet dials may be any text, and a route for all numbers writes `s`. */
export function ownNumber(line: string | undefined): string | undefined {
  return line !== undefined && /^\+?[\d()\s-]{3,}$/.test(line) ? line : undefined;
}

/** The customer of a phone (E.164); named after it until a person writes another name. */
export function customerEffect(
  record: RecordRef,
  { enterprise, phone, manager }: { enterprise: Enterprise; phone: string; manager: RetailUser | undefined },
): Effect {
  return {
    key: retailKeys.customer(enterprise.number, phone),
    kind: retailKinds(enterprise.number).customer,
    record,
    needs: [],
    payload: asJson({
      externalId: `tel-${phone.replace(/\D/g, '')}`,
      phone,
      firstName: phone,
      ...(manager === undefined ? {} : { manager }),
    }),
  };
}
